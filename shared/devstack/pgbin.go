package devstack

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// pgBinaries is where one Postgres' programs are, and its major version.
type pgBinaries struct {
	dir   string
	major int
}

// errNoPostgres says what to do, for people: it is the last line they see.
const errNoPostgres = "no Postgres found: install it (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql), or set PG_BINDIR to the directory of its initdb and postgres, or set DATABASE_URL"

// oldest is the oldest Postgres that lib/pq and our schema know.
const oldest = 14

// findPostgres looks for programs: PG_BINDIR, the distributions' directories (highest version first), PATH, and last a
// verified download into the user's cache directory. major, where not 0, is the only version that will do.
func findPostgres(ctx context.Context, getenv func(string) string, major int) (pgBinaries, error) {
	var seen []string
	if getenv != nil && getenv("PG_BINDIR") != "" { // who names one wants that one
		b, err := inspect(ctx, getenv("PG_BINDIR"))
		if err != nil {
			return b, fmt.Errorf("PG_BINDIR: %w", err)
		}
		return b, nil
	}
	for _, dir := range candidates() {
		b, err := inspect(ctx, dir)
		if err != nil {
			continue
		}
		if b.major >= oldest && (major == 0 || b.major == major) {
			return b, nil
		}
		seen = append(seen, fmt.Sprintf("%d in %s", b.major, dir))
	}
	if major != 0 && len(seen) > 0 {
		return pgBinaries{},
			fmt.Errorf(
				"the data was made by Postgres %d, and there is only %s: install version %d, or throw the data away (-reset)",
				major, strings.Join(seen, ", "), major)
	}
	b, err := download(ctx)
	if err != nil {
		return pgBinaries{}, fmt.Errorf("%s (%w)", errNoPostgres, err)
	}
	return b, nil
}

func candidates() []string {
	var dirs []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", // Debian, Red Hat
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, newestFirst(found)...)
	}
	dirs = append(dirs, "/opt/homebrew/bin", "/usr/local/bin")
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(initdb); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	return dirs
}

var number = regexp.MustCompile(`\d+`)

// newestFirst sorts by the last number in a path, so that 15 stands before 9.
func newestFirst(paths []string) []string {
	key := func(p string) int {
		all := number.FindAllString(p, -1)
		if len(all) == 0 {
			return 0
		}
		n, _ := strconv.Atoi(all[len(all)-1])
		return n
	}
	for i := range paths { // a handful at most
		for j := i; j > 0 && key(paths[j]) > key(paths[j-1]); j-- {
			paths[j], paths[j-1] = paths[j-1], paths[j]
		}
	}
	return paths
}

func inspect(ctx context.Context, dir string) (pgBinaries, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return pgBinaries{}, err
	}
	output, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return pgBinaries{}, err
	}
	major, err := strconv.Atoi(number.FindString(string(output)))
	return pgBinaries{dir, major}, err
}

// command returns one of the programs, run by who in dir.
func (b pgBinaries) command(ctx context.Context, who account, dir, program string, args ...string) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(b.dir, program), args...)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Setpgid: true}
	return cmd, who.setCredential(cmd.SysProcAttr)
}

// logCompression returns the value of wal_compression that takes the least time: LZ4, unless this Postgres was built
// without it or is older than 15.
func (b pgBinaries) logCompression(ctx context.Context, who account, data string) string {
	const quick = "lz4"
	cmd, err := b.command(ctx, who, data, "postgres", "-D", data, "-c", "wal_compression="+quick, "-C", "wal_compression")
	if err != nil || cmd.Run() != nil {
		return "on"
	}
	return quick
}

// download fetches Postgres once, checked against its published SHA-256, into the user's cache directory.
func download(ctx context.Context) (pgBinaries, error) {
	dir, err := CacheDir("postgres")
	if err != nil {
		return pgBinaries{}, err
	}
	release, err := Lock(filepath.Join(dir, "download.lock"), true)
	if err != nil {
		return pgBinaries{}, err
	}
	defer release()
	programs := filepath.Join(dir, "programs")
	if b, err := inspect(ctx, filepath.Join(programs, "bin")); err == nil {
		return b, nil
	}
	port, err := FreePort()
	if err != nil {
		return pgBinaries{}, err
	}
	fetcher := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().Port(uint32(port)).Logger(io.Discard).
		CachePath(dir).BinariesPath(programs).RuntimePath(filepath.Join(dir, "run")).DataPath(filepath.Join(dir, "run",
		"data")))
	// It can only fetch by starting. As root that fails after the download, which is all we are here for: our launcher
	// runs the programs.
	startErr := fetcher.Start()
	if startErr == nil {
		startErr = fetcher.Stop()
	}
	os.RemoveAll(filepath.Join(dir, "run"))
	b, err := inspect(ctx, filepath.Join(programs, "bin"))
	if err != nil && startErr != nil {
		err = startErr // the reason for it
	}
	if err != nil {
		return pgBinaries{}, fmt.Errorf("download: %w", err)
	}
	return b, nil
}
