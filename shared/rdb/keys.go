package rdb

import (
	"crypto/sha256"
	"encoding/base64"

	"leadgate/shared/id"
)

// Keys, each tagged {workspace} so that a workspace's keys share one cluster slot:
//
//	lg:{ws_...}:rate             GCRA's theoretical arrival time, microseconds; lives until it is in the past
//	lg:{ws_...}:email:<hash>     a reservation: "p<lead id>" pending, "c<lead id>" committed, "d<lead id>" released, so that Postgres decides
//	lg:{ws_...}:form:<key id>[:<hash of an address>]   GCRA's theoretical arrival time of a form's submissions, microseconds
//	lg:{ws_...}:wake:<what>      the state of a wake-up: "w" waiting, "r<token>" running, "R<token>" running and woken again

func workspaceKey(workspace id.UUID, rest string) string {
	return "lg:{" + id.Workspace.Format(workspace) + "}:" + rest
}

func rateKey(workspace id.UUID) string { return workspaceKey(workspace, "rate") }

// emailKey holds a hash, so that no address is in Redis.
func emailKey(workspace id.UUID, key string) string {
	sum := sha256.Sum256([]byte(key))
	return workspaceKey(workspace, "email:"+base64.RawURLEncoding.EncodeToString(sum[:16]))
}

func wakeKey(workspace id.UUID, what string) string { return workspaceKey(workspace, "wake:"+what) }
