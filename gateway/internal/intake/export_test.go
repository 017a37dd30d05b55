package intake

import "leadgate/shared/id"

// Contended reports whether the leads of a workspace stay out of the group commit.
func (s *Service) Contended(workspace id.UUID) bool { return s.lanes.isContended(workspace, s.Now()) }
