package main

import (
	_ "code.dny.dev/ssrf"
	_ "github.com/alicebob/miniredis/v2"
	_ "github.com/fergusstrange/embedded-postgres"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/gorilla/mux"
	_ "github.com/hibiken/asynqmon"
	_ "github.com/nyaruka/phonenumbers"
	_ "github.com/standard-webhooks/standard-webhooks/libraries/go"
	_ "golang.org/x/net/idna"
	_ "golang.org/x/net/publicsuffix"
	_ "golang.org/x/text/unicode/norm"
)
