// Package migrations embeds the schema's history; shared/pg applies it.
package migrations

import "embed"

// FS holds NNNN_verb_noun.sql, applied in order by goose.
//
//go:embed *.sql
var FS embed.FS
