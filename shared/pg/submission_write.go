package pg

import (
	"strconv"
	"strings"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// submitLeads keeps the submissions of the leads of the CTE "input" that are in "ins" or suppressed. Of a suppressed
// one nothing of the person is kept. submissionArrays begin with the parameter $20.
var submitLeads = `came as (
    select * from ` + submissionInputAt(20) + ` as i (` + submissionColumns + `)
), sub as (
    insert into submissions (` + submissionColumns + `)
    select s.* from came s join ins on ins.workspace_id = s.workspace_id and ins.id = s.lead_id
    union all
    select ` + suppressedColumns + `
      from came s join input i on i.workspace_id = s.workspace_id and i.id = s.lead_id
     where i.suppressed
    on conflict (workspace_id, id) do nothing
)`

// submissionInputAt is submissionInput whose first parameter has the number first.
func submissionInputAt(first int) string {
	var b strings.Builder
	for part := range strings.SplitSeq(submissionInput, "$") {
		digits := 0
		for digits < len(part) && part[digits] >= '0' && part[digits] <= '9' {
			digits++
		}
		if digits > 0 {
			n, _ := strconv.Atoi(part[:digits])
			b.WriteString("$" + strconv.Itoa(first+n-1))
		}
		b.WriteString(part[digits:])
	}
	return b.String()
}

// submissionsOf returns the submissions that leads come by, as submitLeads wants them.
func submissionsOf(leads []NewLead) (all []lead.Submission) {
	for i := range leads {
		if l := &leads[i]; l.Submission != nil {
			s := *l.Submission
			s.LeadID, s.Outcome, s.CreatedAt = l.ID, lead.OutcomeNew, l.CreatedAt // the day that books count it on
			all = append(all, s)
		}
	}
	return all
}

// bookOutcome is how books count a submission.
func bookOutcome(o lead.Outcome) tenant.BookOutcome {
	switch o {
	case lead.OutcomeIgnored:
		return tenant.RefusedDuplicate.Outcome()
	case lead.OutcomeAppended:
		return tenant.BookAppended
	case lead.OutcomeUpdated:
		return tenant.BookUpdated
	case lead.OutcomeSuppressed:
		return tenant.BookSuppressed
	case lead.OutcomeHeld:
		return tenant.BookHeld
	}
	return tenant.BookNew
}
