package console

import "encoding/json"

// What the API answers, as far as pages show it. Of null a field has its zero value.

type lead struct {
	ID, Name, Email, Phone, Source, Status, ChatbotID, CreatedAt, UpdatedAt, DeletedAt string
	Metadata, Enrichment                                                               json.RawMessage
}

type books struct {
	Totals bookCounts
	Lines  []bookLine
}

type bookCounts struct {
	Received, New, Appended, Updated, Held, Suppressed, Limited, Refused, HeldNotKept, Imbalance int
	RefusedBy                                                                                    map[string]int
}

type bookLine struct {
	Day, Way, FormID string
	bookCounts
}

type speed struct {
	DeliveryTargetMs *int
	Workspace        speedFigures
	Endpoints        []endpointSpeed
}

type speedFigures struct {
	Count                      int
	P50Ms, P95Ms, P99Ms, MaxMs *int
}

type endpointSpeed struct {
	ID, Host, SlowSince string
	speedFigures
}

type timeline struct {
	Status    string
	Truncated bool
	Entries   []timelineEntry
}

type timelineEntry struct {
	At, Kind, Source, State, Note, Type, EventID, DeliveryID, EndpointID, Host, NextAttemptAt, Error, ChatbotID string
	Attempts, Number, LatencyMs                                                                                 int
	Status                                                                                                      *int
}

type workspace struct {
	ID, Name, Mode string
	Statuses       []string
}
