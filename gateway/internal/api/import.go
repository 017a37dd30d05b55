package api

import (
	"math"
	"net/http"

	"github.com/gorilla/mux"

	"leadgate/shared/id"
	"leadgate/shared/leadfile"
)

// importView is an import as the API shows it.
type importView struct {
	ID         string  `json:"id"`
	State      string  `json:"state"`
	Format     string  `json:"format"`
	Bytes      int64   `json:"bytes"`
	Position   int64   `json:"position"`
	Progress   float64 `json:"progress"`
	Rows       int     `json:"rows"`
	Created    int     `json:"created"`
	Updated    int     `json:"updated"`
	Duplicates int     `json:"duplicates"`
	Rejected   int     `json:"rejected"`
	Reason     *string `json:"reason"`
	CreatedAt  string  `json:"createdAt"`
	UpdatedAt  string  `json:"updatedAt"`
	FinishedAt *string `json:"finishedAt"`
}

func showImport(i *leadfile.Import) importView {
	position := i.Position
	if i.State == leadfile.Uploading { // its header was read, and no more than that
		position = 0
	}
	return importView{
		ID: id.Import.Format(i.ID), State: string(i.State), Format: string(i.Format), Bytes: i.Bytes, Position: position, Progress: importProgress(i),
		Rows: i.Rows, Created: i.Created, Updated: i.Updated, Duplicates: i.Duplicates, Rejected: i.Rejected, Reason: optional(i.Reason),
		CreatedAt: stamp(i.CreatedAt), UpdatedAt: stamp(i.UpdatedAt), FinishedAt: optionalStamp(i.FinishedAt),
	}
}

// importProgress is how much of a file was worked on, from 0 to 1, to a thousandth.
func importProgress(i *leadfile.Import) float64 {
	switch {
	case i.State == leadfile.Done:
		return 1
	case i.State == leadfile.Uploading || i.Rows == 0 || i.Bytes == 0:
		return 0
	}
	return math.Floor(min(1, float64(i.Position)/float64(i.Bytes))*1000) / 1000
}

// importID reads the id that the path names.
func importID(r *http.Request) (id.UUID, error) {
	return pathID(mux.Vars(r)["id"], id.Import, "Import")
}
