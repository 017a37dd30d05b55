package lead

// UTMs are the campaign parameters of a page's URL, without their prefix "utm_".
func UTMs() []string { return []string{"source", "medium", "campaign", "term", "content", "id"} }

// ClickIDs are the parameters by which advertising networks recognise a click.
func ClickIDs() []string {
	return []string{"gclid", "gclsrc", "gad_source", "dclid", "gbraid", "wbraid", "fbclid", "msclkid", "twclid",
		"li_fat_id", "mc_cid", "igshid", "ttclid", "rdt_cid", "epik", "qclid", "sccid", "irclid", "yclid", "_kx"}
}
