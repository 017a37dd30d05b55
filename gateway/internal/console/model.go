package console

// What the API answers, as far as pages show it. Of null a field has its zero value.

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

type workspace struct {
	ID, Name, Mode string
	Statuses       []string
}
