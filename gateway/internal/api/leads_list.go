package api

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// listLeads answers the leads that the parameters pick, the newest first unless they say otherwise, each with its
// enrichment.
func (a *api) listLeads(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	params := readParams(r)
	if params.Has("since") {
		return a.listLeadsSince(w, r, p, params)
	}
	q := params.leadFilter(p)
	q.Sort = params.sort()
	q.Limit, q.After = params.limit(), params.leadCursor(q.Sort)
	q.Scan, q.Facts = a.PageScan, true
	if err := params.err(); err != nil {
		return err
	}
	if err := a.knowsStatuses(r, p, q); err != nil {
		return err
	}
	found, next, err := a.DB.FindLeads(r.Context(), p.WorkspaceID, q)
	if err != nil {
		return err
	}
	if len(found) == 0 && q.After == (pg.LeadKey{}) {
		if err := a.knowsChatbot(r, p, q.ChatbotID); err != nil {
			return err
		}
	}
	cursor := formatCursor(q.Sort, next)
	return a.answerLeads(w, r, found, func(answer []byte) []byte {
		if cursor == "" {
			return append(answer, `,"nextCursor":null`...)
		}
		return appendText(answer, `,"nextCursor":`, cursor)
	})
}

// answerLeads answers leads with their enrichment, and what end appends after them.
func (a *api) answerLeads(w http.ResponseWriter, r *http.Request, leads []lead.Lead, end func([]byte) []byte) error {
	if err := httpx.Charge(r, listSize(leads)); err != nil {
		return err
	}
	b := a.buffers.Get().(*[]byte)
	defer a.buffers.Put(b)
	list := append((*b)[:0], '[')
	for i := range leads {
		if i > 0 {
			list = append(list, ',')
		}
		list = leads[i].AppendJSON(list, true)
	}
	list = end(append(list, ']'))
	if cap(list) <= maxListBuffer {
		*b = list
	}
	return httpx.RawData(w, http.StatusOK, list)
}

// appendText appends a member of an answer: its name as it stands there, and text as JSON.
func appendText(answer []byte, name, text string) []byte {
	quoted, _ := json.Marshal(text) // a string always can be
	return append(append(answer, name...), quoted...)
}

// listSize is how much memory leads take beside the answer that has them.
func listSize(leads []lead.Lead) (bytes int) {
	for i := range leads {
		bytes += len(leads[i].Metadata) + len(leads[i].Enrichment) + 512
	}
	return bytes
}

// maxListBuffer is how large a buffer is kept for the next answer.
const maxListBuffer = 256 << 10

// knowsChatbot refuses a chatbot that the workspace never had: an empty answer would look like one about it. One that
// was deleted can still be asked about as long as it has leads.
func (a *api) knowsChatbot(r *http.Request, p *tenant.Principal, chatbot id.UUID) error {
	if chatbot == (id.UUID{}) {
		return nil
	}
	return a.Auth.Chatbot(r.Context(), p.WorkspaceID, chatbot)
}

// Parameters of lists of leads. That of metadata is any number of names.
var (
	leadFilters = []string{"chatbotId", "status", "source", "email", "domain", "phone", "createdFrom", "createdUntil",
		"updatedFrom", "updatedUntil", "q", "deleted", metadataParam}
	leadParams   = append([]string{"limit", "cursor", "sort", "since"}, leadFilters...)
	exportParams = slices.Concat(exportStyleParams, leadFilters)
)

const (
	metadataParam  = "metadata.<key>"
	metadataPrefix = "metadata."
	maxMetaKey     = 200  // characters
	maxMetaValue   = 1000 // characters
)

// sorts are the orders of a list of leads by name.
var sorts = map[string]pg.LeadSort{
	"-createdAt": {}, "createdAt": {Ascending: true}, "-updatedAt": {Updated: true}, "updatedAt": {Updated: true,
		Ascending: true},
}

// leadFilter reads what a list or an export of leads picks.
func (q *params) leadFilter(p *tenant.Principal) (l pg.LeadQuery) {
	l.ChatbotID = q.id("chatbotId", id.Chatbot)
	l.Statuses = q.statuses(p.Settings.Statuses)
	l.Source = q.text("source", lead.MaxSource)
	if q.Has("email") {
		var ok bool
		if _, l.AddressKey, ok = lead.ParseEmail(q.Get("email")); !ok {
			q.addError("email", lead.EmailRule+plusHint)
		}
	}
	if q.Has("domain") {
		var ok bool
		if l.Domain, ok = lead.ParseDomain(q.Get("domain")); !ok {
			q.addError("domain", "Must be the domain of email addresses, such as example.com")
		}
	}
	if q.Has("phone") {
		l.Phone = q.phone()
	}
	l.CreatedFrom, l.CreatedUntil = q.timeRange("createdFrom", "createdUntil")
	l.UpdatedFrom, l.UpdatedUntil = q.timeRange("updatedFrom", "updatedUntil")
	q.search(&l)
	l.Deleted = q.bool("deleted")
	l.Metadata = q.metadata()
	l.DuplicatesAllowed = p.Settings.Dedupe == tenant.DedupeNone
	return l
}

// statuses reads one status or several with commas between. known are those the workspace has now, which are found in
// any case, as where a lead is written.
func (q *params) statuses(known []string) []string {
	text := q.text("status", tenant.MaxStatuses*(tenant.MaxStatus+1))
	switch {
	case text == "":
		return nil
	case slices.ContainsFunc(known, isStatus(text)): // it may have a comma itself
		return []string{asKnown(text, known)}
	}
	all := strings.Split(text, ",")
	if len(all) > tenant.MaxStatuses {
		q.addError("status", fmt.Sprintf("Must be at most %d statuses, with commas between", tenant.MaxStatuses))
		return nil
	}
	for i := range all {
		all[i] = asKnown(strings.TrimSpace(all[i]), known)
	}
	return all
}

// asKnown returns a status as known has it, or else as it is: a lead may have one that the workspace has no longer.
func asKnown(status string, known []string) string {
	if slices.Contains(known, status) {
		return status
	}
	if i := slices.IndexFunc(known, isStatus(status)); i >= 0 {
		return known[i]
	}
	return status
}

func isStatus(text string) func(string) bool {
	return func(status string) bool { return strings.EqualFold(status, text) }
}

// knowsStatuses refuses a status that neither the workspace nor any of its leads has: an empty answer would look like
// one about it. Leads keep a status that the workspace has no longer, and are found by it.
func (a *api) knowsStatuses(r *http.Request, p *tenant.Principal, q pg.LeadQuery) error {
	for _, status := range q.Statuses {
		if slices.Contains(p.Settings.Statuses, status) {
			continue
		}
		one := pg.LeadQuery{Query: lead.Query{Statuses: []string{status}}, Deleted: q.Deleted, Limit: 1, Scan: a.PageScan}
		found, next, err := a.DB.FindLeads(r.Context(), p.WorkspaceID, one)
		if err != nil {
			return err
		}
		if len(found) == 0 && next == (pg.LeadKey{}) {
			return fault.InvalidField("status", fault.Truncate(status), "Must be one or more of "+
				strings.Join(p.Settings.Statuses, ", ")+", separated by commas")
		}
	}
	return nil
}

// phone reads a phone number in any spelling, or its end.
func (q *params) phone() string {
	numbers := lead.PhoneDigits(q.text("phone", lead.MaxPhone))
	if len(numbers) != 1 {
		q.addError("phone", fmt.Sprintf("Must be a phone number, or at least its last %d digits", lead.MinPhoneDigits)+
			plusHint)
		return ""
	}
	return numbers[0]
}

// search reads what is looked for: words, a phone number in any spelling, or @ and a domain.
func (q *params) search(l *pg.LeadQuery) {
	text := q.text("q", lead.MaxSearch)
	if domain, ok := lead.ParseDomain(text); ok && strings.HasPrefix(strings.TrimSpace(text), "@") && l.Domain == "" {
		l.Domain = domain
		return
	}
	l.Text, l.TextPhone = lead.SearchWords(text), lead.SearchedPhone(text)
	switch {
	case text != "" && len(l.Text) == 0:
		q.addError("q", "Must contain a letter or a digit")
	case len(l.Text) > lead.MaxSearchWords:
		q.addError("q", fmt.Sprintf("Must be at most %d words", lead.MaxSearchWords))
	}
}

func (q *params) metadata() (pairs []lead.Pair) {
	for name := range q.Values {
		if key, ok := strings.CutPrefix(name, metadataPrefix); ok {
			if utf8.RuneCountInString(key) > maxMetaKey {
				q.addError(name, fmt.Sprintf("Must name a key of at most %d characters", maxMetaKey))
			}
			if utf8.RuneCountInString(q.Get(name)) > maxMetaValue {
				q.addError(name, fmt.Sprintf("Must be at most %d characters", maxMetaValue))
			}
			pairs = append(pairs, lead.Pair{Key: key, Value: q.Get(name)})
		}
	}
	slices.SortFunc(pairs, func(x, y lead.Pair) int { return strings.Compare(x.Key, y.Key) })
	if len(pairs) > lead.MaxMetaFilters {
		q.addError(metadataPrefix+pairs[lead.MaxMetaFilters].Key, fmt.Sprintf("Must be one of at most %d filters on metadata",
			lead.MaxMetaFilters))
		return nil
	}
	return pairs
}

func (q *params) sort() pg.LeadSort {
	return sorts[cmp.Or(q.choice("sort", "-createdAt", "createdAt", "-updatedAt", "updatedAt"), "-createdAt")]
}

// leadCursor reads the nextCursor of an earlier answer in the same order.
func (q *params) leadCursor(sort pg.LeadSort) (after pg.LeadKey) {
	if !q.Has("cursor") {
		return after
	}
	after, made, ok := parseCursor(q.Get("cursor"))
	switch {
	case !ok:
		q.addError("cursor", cursorRule)
	case made != sort:
		q.addError("cursor", cursorRule+" in the same order (sort)")
	}
	return after
}

// A cursor is what list it is of and a lead's place in it; the last bytes tell it from what somebody made up or cut
// off.
const (
	cursorBytes = 1 + 8 + 16
	cursorCheck = 4
)

// The lists of cursors: orders, each of both or of none, or that of all changes.
const (
	cursorUpdated   = 1
	cursorAscending = 2
	cursorSince     = 4
)

func formatCursor(sort pg.LeadSort, k pg.LeadKey) string {
	if k == (pg.LeadKey{}) {
		return ""
	}
	var of byte
	if sort.Updated {
		of |= cursorUpdated
	} else {
		k.UpdatedAt = time.UnixMicro(0)
	}
	if sort.Ascending {
		of |= cursorAscending
	}
	return encodeCursor(of, k)
}

func encodeCursor(of byte, k pg.LeadKey) string {
	b := append(make([]byte, 0, cursorBytes+cursorCheck), of)
	b = binary.BigEndian.AppendUint64(b, uint64(k.UpdatedAt.UnixMicro()))
	b = append(b, k.ID[:]...)
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(append(b, sum[:cursorCheck]...))
}

// lastMicro is the last moment that a cursor can hold: of the year 9999.
const lastMicro = 253402300799999999

func parseCursor(text string) (k pg.LeadKey, sort pg.LeadSort, ok bool) {
	of, k, ok := decodeCursor(text)
	sort = pg.LeadSort{Updated: of&cursorUpdated != 0, Ascending: of&cursorAscending != 0}
	if !ok || of > cursorUpdated|cursorAscending || !sort.Updated && k.UpdatedAt.UnixMicro() != 0 {
		return pg.LeadKey{}, sort, false
	}
	if !sort.Updated {
		k.UpdatedAt = time.Time{}
	}
	return k, sort, k != pg.LeadKey{}
}

func decodeCursor(text string) (of byte, k pg.LeadKey, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != cursorBytes+cursorCheck {
		return 0, k, false
	}
	sum := sha256.Sum256(b[:cursorBytes])
	micros := binary.BigEndian.Uint64(b[1:9])
	if string(sum[:cursorCheck]) != string(b[cursorBytes:]) || micros > lastMicro {
		return 0, k, false
	}
	k.UpdatedAt = time.UnixMicro(int64(micros)).UTC()
	copy(k.ID[:], b[9:])
	return b[0], k, true
}
