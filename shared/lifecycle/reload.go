package lifecycle

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// reloadEvery is how often the files of settings are read again.
const reloadEvery = 5 * time.Second

// Setting is one that is read again from its file while the process runs, if a file holds it.
type Setting struct {
	Name   string
	Of     Watched
	Change func(text string) error // an error says why nothing changes

	text   string // as it was read last; it may be invalid
	failed bool   // the file could not be read
}

// Watched is a setting of package config that may be in a file.
type Watched interface {
	Start() (file, text string)
	Current() (string, error)
}

// Level is the setting of a log's level.
func Level(of Watched, level *slog.LevelVar) *Setting {
	change := func(text string) error { return level.UnmarshalText([]byte(text)) }
	return &Setting{Name: "LEADGATE_LOG_LEVEL", Of: of, Change: change}
}

// OutliveHangups keeps SIGHUP from ending the process, which it does by default: before settings are read again because of
// it, as while a store is waited for, and after.
func OutliveHangups() { signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) }

// Reload reads settings again every reloadEvery, and at once at SIGHUP, until g stops. What cannot be read, or is not
// valid, changes nothing, and is logged once.
func Reload(g *Group, log *slog.Logger, settings ...*Setting) {
	for _, s := range settings {
		_, s.text = s.Of.Start()
	}
	ctx, cancel := context.WithCancel(context.Background())
	hangup, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		defer close(ended)
		tick := time.NewTicker(reloadEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			case <-hangup:
				log.Info("settings read again", "reason", "SIGHUP")
			}
			for _, s := range settings {
				s.read(log)
			}
		}
	}()
	g.OnStop("reload", func(context.Context) error {
		signal.Stop(hangup)
		cancel()
		<-ended
		return nil
	})
}

func (s *Setting) read(log *slog.Logger) {
	file, _ := s.Of.Start()
	if file == "" {
		return
	}
	log = log.With("setting", s.Name, "file", file)
	text, err := s.Of.Current()
	switch {
	case err != nil:
		if !s.failed {
			log.Error("setting not read again", "error", err.Error())
		}
		s.failed = true
		return
	case text == s.text:
	default:
		s.text = text
		if err := s.Change(text); err != nil {
			log.Error("setting not changed", "error", err.Error())
		} else {
			log.Info("setting changed")
		}
	}
	s.failed = false
}
