package intake

import (
	"context"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
)

type holderResult struct {
	holder id.UUID // zero: no lead has the email
	err    error
}

// findHolder returns the lead that has l's email; zero: none has. The look-ups of concurrent requests share a
// statement.
func (s *Service) findHolder(ctx context.Context, l *lead.Lead) (id.UUID, error) {
	res, err := s.holders.Do(ctx, pg.UniqueEmail{Workspace: l.WorkspaceID, Key: l.UniqueKey})
	if err != nil { // full, stopping, or the caller left
		s.metrics.count("queue_full")
		return id.UUID{}, fault.StoreUnavailable(err, fullRetry)
	}
	if res.err != nil {
		s.metrics.count("failed")
	}
	return res.holder, res.err
}

func (s *Service) findHolders(emails []pg.UniqueEmail) []holderResult {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	holders, err := s.DB.FindHolders(ctx, emails)
	out := make([]holderResult, len(emails))
	for i := range out {
		if out[i].err = err; err == nil {
			out[i].holder = holders[i]
		}
	}
	return out
}
