package upkeep

import (
	"context"

	"leadgate/shared/rdb"
)

// keepSize notes how large Postgres is, so that the administrator is told how fast it grows.
func (u *Upkeep) keepSize(ctx context.Context) (n int, more bool, err error) {
	size, err := u.DB.Size(ctx)
	if err != nil {
		return 0, false, err
	}
	return 0, false, rdb.KeepSize(ctx, u.Redis, rdb.Size{At: u.Now(), Bytes: size})
}
