package verdict

// offer is what a text offers, as mass mail does.
type offer struct{}

// offers knows what mass mail offers, and how.
type offers struct{}

func newOffers() *offers { return &offers{} }

func (o *offers) read([]byte) offer { return offer{} }

// checkOffer is about what mass mail offers.
func checkOffer(*submission) {}
