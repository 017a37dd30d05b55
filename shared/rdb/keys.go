package rdb

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"

	"leadgate/shared/id"
)

// Keys, each tagged {workspace} so that a workspace's keys share one cluster slot:
//
//	lg:{ws_...}:rate           rate limit: GCRA's theoretical arrival time, microseconds
//	lg:{ws_...}:form:<key id>  the same of a form's submissions; with ":<hash of an address>" of those of an address
//	lg:{ws_...}:refused:<key id>  origins whose pages may not use a form and tried to, by when they did last
//	lg:{ws_...}:work:<hash>    a proof of work that was used
//	lg:{ws_...}:email:<hash>   reservation: "p<lead>" pending, "c<lead>" committed (up to 0.1.0 also "d<lead>")
//	lg:{ws_...}:wake:<what>    wake-up: "w" waiting, "r<token>" running, "R<token>" running and woken again
//	lg:{ws_0...}:woken         endpoints of all workspaces that got deliveries, by when they did
//
// These are of the whole installation:
//
//	lg:processes               hash of the gateways and workers that run, by kind, host and pid
//	lg:{failures}:<class>      list of the newest failed requests, newest first; class is fault or unavailable
//	lg:sizes                   hash of how large Postgres was, by day
//	lg:{ready-<n>}             written to see whether that works, one at each node of a cluster

const (
	processesKey = "lg:processes"
	sizesKey     = "lg:sizes"
)

func readyKey(n int) string { return "lg:{ready-" + strconv.Itoa(n) + "}" }

func failuresKey(class string) string { return "lg:{failures}:" + class }

func workspaceKey(workspace id.UUID, rest string) string {
	return "lg:{" + id.Workspace.Format(workspace) + "}:" + rest
}

func rateKey(workspace id.UUID) string { return workspaceKey(workspace, "rate") }

// emailKey holds a hash, so that no address is in Redis.
func emailKey(workspace id.UUID, uniqueKey string) string {
	sum := sha256.Sum256([]byte(uniqueKey))
	return workspaceKey(workspace, "email:"+base64.RawURLEncoding.EncodeToString(sum[:16]))
}

// workKey holds a hash of what a client sent.
func workKey(workspace id.UUID, challenge string) string {
	sum := sha256.Sum256([]byte(challenge))
	return workspaceKey(workspace, "work:"+base64.RawURLEncoding.EncodeToString(sum[:12]))
}

func refusedOriginsKey(workspace, form id.UUID) string {
	return workspaceKey(workspace, "refused:"+id.Key.Format(form))
}

func wakeKey(workspace id.UUID, what string) string { return workspaceKey(workspace, "wake:"+what) }
