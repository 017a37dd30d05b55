package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// parts listens to what the processes of one system violated, and keeps it in files if that is wanted.
type parts struct {
	dir string // "": nothing is kept

	mu    sync.Mutex
	files []*os.File
	last  map[string]time.Time // when a worker last logged a delivery attempt
}

func listen(logs, scenario string) (*parts, error) {
	p := &parts{last: map[string]time.Time{}}
	if logs == "" {
		return p, nil
	}
	p.dir = filepath.Join(logs, scenario)
	return p, os.MkdirAll(p.dir, 0o755)
}

// part is where a part's lines go.
func (p *parts) part(name string) io.Writer {
	w := &part{parts: p, name: name}
	if p.dir == "" {
		return w
	}
	f, err := os.Create(filepath.Join(p.dir, name+".log"))
	if err != nil {
		return w
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files = append(p.files, f)
	w.file = f
	return w
}

func (p *parts) close() {
	for _, f := range p.files {
		f.Close()
	}
}

// attempted is when the worker of that name last logged an attempt.
func (p *parts) attempted(name string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last[name]
}

type part struct {
	*parts
	name string
	file *os.File // nil: nothing is kept
}

func (w *part) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(`"msg":"attempt"`)) {
		w.mu.Lock()
		w.last[w.name] = time.Now()
		w.mu.Unlock()
	}
	if w.file == nil {
		return len(b), nil
	}
	return w.file.Write(b)
}
