package admin

// Routes is the table as method and path, for tests.
func Routes() (all [][2]string) {
	for _, t := range (&server{}).table() {
		all = append(all, [2]string{t.Method, t.Path})
	}
	return all
}
