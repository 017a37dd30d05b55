package devstack

import (
	"bytes"
	"context"
	_ "embed" // the recorder
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

//go:embed recorder/recorder.c
var recorderSource []byte

// disk is what a cut of the power leaves of a cluster: a directory with the content that each file had when it was last
// synced. Files are known by inode and birth, so that the names that they have at the cut count.
type disk struct {
	data     string // of the cluster
	dir      string
	who      account // Postgres, which writes there
	recorder string  // the library that copies what is synced
}

// newDisk makes the disk of a cluster that is stopped: it has all that is there.
func newDisk(ctx context.Context, cluster string, who account) (*disk, error) {
	d := &disk{data: filepath.Join(cluster, "data"), dir: filepath.Join(cluster, "disk"), who: who,
		recorder: filepath.Join(cluster, "recorder.so")}
	if _, err := exec.LookPath("cc"); err != nil {
		return nil, fmt.Errorf("%w: no C compiler (cc) here, which makes the library that records what is synced",
			ErrNoPowerCuts)
	}
	compile := exec.CommandContext(ctx, "cc", "-shared", "-fPIC", "-O2", "-o", d.recorder, "-x", "c", "-")
	compile.Stdin = bytes.NewReader(recorderSource)
	if said, err := compile.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: cc: %w: %s", ErrNoPowerCuts, err, bytes.TrimSpace(said))
	}
	if err := errors.Join(os.RemoveAll(d.dir), os.Mkdir(d.dir, 0o700)); err != nil {
		return nil, fmt.Errorf("make disk: %w", err)
	}
	err := d.each(func(file, copied string) error { return overwrite(copied, file) })
	if err == nil {
		err = who.chown(d.dir)
	}
	return d, err
}

// env has Postgres record what it syncs.
func (d *disk) env() []string { return []string{"LD_PRELOAD=" + d.recorder, "LEADGATE_DISK=" + d.dir} }

// each calls do with each file of the cluster, and where the disk has or would have it.
func (d *disk) each(do func(file, copied string) error) error {
	return filepath.WalkDir(d.data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		var st unix.Statx_t
		if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_INO|unix.STATX_BTIME, &st); err != nil {
			return &os.PathError{Op: "statx", Path: path, Err: err}
		}
		if st.Mask&unix.STATX_BTIME == 0 {
			return fmt.Errorf("%w: the file system of %s does not say when a file was made", ErrNoPowerCuts, d.data)
		}
		return do(path, filepath.Join(d.dir, fmt.Sprintf("%d-%d.%d", st.Ino, st.Btime.Sec, st.Btime.Nsec)))
	})
}

// cut ends the server at once, with all its children, and leaves of each file what the disk has: nothing, if it was
// never synced; and of each block that was written since, what keep says.
func (d *disk) cut(server *Process, keep func() bool) error {
	if err := killTree(server); err != nil {
		return fmt.Errorf("cut the power: %w", err)
	}
	known := map[string]bool{}
	err := d.each(func(file, copied string) error {
		known[copied] = true
		return revert(file, copied, keep)
	})
	if err != nil {
		return fmt.Errorf("cut the power: %w", err)
	}
	copies, err := filepath.Glob(filepath.Join(d.dir, "*"))
	for _, copied := range copies {
		if !known[copied] { // of a file that is gone
			err = errors.Join(err, os.Remove(copied))
		}
	}
	// The process of that number is none of this boot.
	if pid := os.Remove(filepath.Join(d.data, "postmaster.pid")); !errors.Is(pid, fs.ErrNotExist) {
		err = errors.Join(err, pid)
	}
	return errors.Join(err, d.who.chown(d.dir))
}

// killTree kills a process, if it runs, and its children. It makes no new ones meanwhile, and they are gone when this
// returns.
func killTree(p *Process) error {
	pid := p.PID()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return err
	}
	for child := range strings.FieldsSeq(string(children)) {
		pid, err := strconv.Atoi(child)
		if err == nil {
			err = syscall.Kill(pid, syscall.SIGKILL)
		}
		if err != nil {
			return err
		}
	}
	return p.end(p.current(), syscall.SIGKILL) // waits for the output, which the children have too
}

// block is what a disk writes whole or not at all.
const block = 4096

// revert gives a file the content of its copy, and has the copy follow where blocks are kept: what is on the disk once
// is there at the next cut too.
func revert(file, copied string, keep func() bool) error {
	written, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	synced, err := os.ReadFile(copied)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if bytes.Equal(written, synced) {
		return nil
	}
	for at := 0; at < len(written); at += block {
		now := written[at:min(at+block, len(written))]
		if at < len(synced) && bytes.Equal(now, synced[at:min(at+block, len(synced))]) || !keep() {
			continue
		}
		if missing := at + len(now) - len(synced); missing > 0 {
			synced = append(synced, make([]byte, missing)...)
		}
		copy(synced[at:], now)
	}
	return errors.Join(os.WriteFile(file, synced, 0o600), os.WriteFile(copied, synced, 0o600))
}

// overwrite makes the content of a file that of another.
func overwrite(path, from string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
