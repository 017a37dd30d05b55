package devstack

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is whom the stores run as: ourselves, or for root, whom Postgres refuses, an unprivileged user.
type account struct {
	uid, gid int
	other    bool // not ourselves
}

func storeAccount() account {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err1 == nil && err2 == nil && uid > 0 {
			return account{uid: uid, gid: gid, other: true}
		}
	}
	return account{uid: 65534, gid: 65534, other: true}
}

// setCredential makes a child run as the account.
func (a account) setCredential(attr *syscall.SysProcAttr) error {
	if a.other {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return nil
}

// chown gives everything under path to the account.
func (a account) chown(path string) error {
	if !a.other {
		return nil
	}
	return filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, a.uid, a.gid)
	})
}

// makeReachable makes the directory that stands for dir, owned by us, and returns it.
func (a account) makeReachable(dir string) (string, error) {
	at, err := a.reachable(dir)
	if err != nil {
		return "", err
	}
	if err := a.makeDir(at); err != nil {
		return "", err
	}
	info, err := os.Lstat(at)
	if err != nil {
		return "", err
	}
	// Temporary directories are everybody's: somebody else may have been there first.
	if st, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || int(st.Uid) != os.Geteuid() {
		return "", fmt.Errorf("%s: is not ours", at)
	}
	return at, nil
}

// CacheDir makes a directory of this name in the user's cache directory, which the stores' user can reach.
func CacheDir(name string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return storeAccount().makeReachable(filepath.Join(cache, "leadgate", name))
}

// reachable returns dir, or, where the account cannot reach it (root's home, a 0700 temporary directory), one in
// /var/tmp that is always the same for dir.
func (a account) reachable(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil || !a.other || a.reaches(dir) {
		return dir, err
	}
	sum := sha256.Sum256([]byte(dir))
	instead := filepath.Join("/var/tmp", fmt.Sprintf("leadgate-%x", sum[:6]))
	if !a.reaches(instead) {
		return "", fmt.Errorf("%s: user %d, as whom Postgres has to run, can reach neither it nor %s", dir, a.uid, instead)
	}
	return instead, nil
}

func (a account) makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if a.reaches(dir) {
		return nil
	}
	return os.Chmod(dir, 0o755) // a strict umask
}

// reaches reports whether the account may search every directory on the way to dir that exists already.
func (a account) reaches(dir string) bool {
	for {
		if info, err := os.Stat(dir); err == nil && !a.searches(info) {
			return false
		}
		up := filepath.Dir(dir)
		if up == dir {
			return true
		}
		dir = up
	}
}

func (a account) searches(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	mode := info.Mode().Perm()
	switch {
	case int(st.Uid) == a.uid:
		return mode&0o100 != 0
	case int(st.Gid) == a.gid:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

// TempDir makes a new directory that the stores' user can reach; the caller removes it.
func TempDir(pattern string) (string, error) {
	who, base := storeAccount(), os.TempDir()
	if who.other && !who.reaches(base) {
		base = "/var/tmp"
	}
	dir, err := os.MkdirTemp(base, pattern)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}
