package leadfile

import (
	"slices"
	"strings"

	"leadgate/shared/lead"
)

// startRow is one of the rows that a file begins with.
type startRow struct {
	cells   []string
	address []bool // which cells are one
	number  int
	end     int64
}

// startRows reads up to limit rows that are not blank.
func startRows(text []byte, c *csv, limit int) (rows []startRow) {
	for at, number := 0, 1; at < len(text) && len(rows) < limit; number++ {
		n := c.record(text[at:], true)
		if c.long {
			break
		}
		at += n
		if !c.open && slices.ContainsFunc(c.cells, filled) {
			r := startRow{cells: slices.Clone(c.cells), number: number, end: int64(at)}
			for i, cell := range r.cells {
				r.address = append(r.address, i <= MaxColumns && isAddress(cell))
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// wraps reports whether a program took each line for one cell and put quotes around it.
func wraps(text []byte, o *Options) bool {
	if text[0] != '"' {
		return false
	}
	rows := startRows(text, newCSV(o), 2)
	return len(rows) == 2 && !slices.ContainsFunc(rows, func(r startRow) bool {
		return len(r.cells) != 1 || !strings.Contains(r.cells[0], o.Delimiter)
	})
}

// addressColumn is the column that has an address in most of the rows that begin with the first that has one; -1 is
// none. Of several it is the one with the most different ones: the address of who sold to them stands beside many
// people's.
func addressColumn(rows []startRow) (column int) {
	rows = rows[:min(len(rows), dataRows)]
	for len(rows) > 0 && !slices.Contains(rows[0].address, true) {
		rows = rows[1:]
	}
	column, most := -1, 0
	for at := range width(rows) {
		n, different := 0, map[string]bool{}
		for _, r := range rows {
			if at < len(r.address) && r.address[at] {
				n++
				different[r.cells[at]] = true
			}
		}
		if 2*n > len(rows) && len(different) > most {
			column, most = at, len(different)
		}
	}
	return column
}

// width is how many cells the longest row has, as far as they are looked at.
func width(rows []startRow) (n int) {
	for _, r := range rows {
		n = max(n, len(r.address))
	}
	return n
}

// onlyAddresses reports whether rows have nothing but addresses, on one line or not the same number on each: it is a
// list of people, as a mail program has it, of which each has a cell.
func onlyAddresses(rows []startRow) bool {
	ragged, most := len(rows) == 1, 0
	for i, r := range rows {
		n := 0
		for at, cell := range r.cells {
			switch {
			case !filled(cell):
			case !r.isAddress(at):
				return false
			default:
				n++
			}
		}
		ragged = ragged || i > 0 && n != most
		most = max(n, most)
	}
	return ragged && most > 1
}

// maxAddressCell is how long a cell is looked at for an address, in bytes.
const maxAddressCell = 1000

// identifies reports whether a lead can be known by what a field has.
func (s *Said) identifies(field string) bool {
	return field == toEmail || s.Phones && field == lead.FieldPhone
}

func isAddress(cell string) bool {
	if len(cell) > maxAddressCell || !strings.ContainsAny(cell, "@＠") {
		return false
	}
	g := lead.NewGatherer(lead.Rules{Statuses: []string{""}})
	g.Set(toEmail, toEmail, 0, cellText(cell, ','))
	_, err := g.Draft()
	return err == nil
}

// nameRow is the first row that names the column of the email, or of a phone where that will do, and has no address
// itself; -1 is none. What stands before it is a title, even with an address in it, unless it is as long: then these
// rows are people.
func (s *Said) nameRow(rows []startRow) int {
	mapped := map[string]bool{}
	for name, to := range s.Mapping {
		mapped[plain(name)] = to != nil && s.identifies(strings.ToLower(*to))
	}
	names := func(cell string) bool {
		field, _ := lead.FieldOf(cell)
		return s.identifies(field) || mapped[plain(cell)]
	}
	longest := 0 // of the rows with an address
	for i := range rows {
		r, n := &rows[i], 0
		for _, cell := range r.cells {
			if filled(cell) {
				n++
			}
		}
		switch {
		case slices.Contains(r.address, true):
			longest = max(longest, n)
		case n > longest && slices.ContainsFunc(r.cells[:min(len(r.cells), MaxColumns)], names):
			return i
		}
	}
	return -1
}

// isAddress reports whether a cell is an address, beyond those that are looked at as well.
func (r *startRow) isAddress(at int) bool {
	if at < len(r.address) {
		return r.address[at]
	}
	return isAddress(r.cells[at])
}
