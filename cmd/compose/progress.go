package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"compose/fetch"
)

// A progress shows transfers: on a terminal as a bar that is drawn anew, in a
// log as a line when many files begin, now and then, and when they are there.
type progress struct {
	w     io.Writer
	width func() int // of the terminal; nil: it is none
	now   func() time.Time

	mu          sync.Mutex
	batch       bool  // many files were announced at once
	files, done int   // announced and finished, since nothing was under way
	total, got  int64 // bytes of them
	start, last time.Time
}

const (
	drawEvery = 100 * time.Millisecond
	lineEvery = 10 * time.Second
)

// newProgress shows transfers on w.
func newProgress(w io.Writer) fetch.Progress {
	p := &progress{w: w, now: time.Now}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.width = func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 80
			}
			return width
		}
	}
	return p
}

func (p *progress) Begin(files int, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.files == 0 {
		p.start, p.last = p.now(), p.now()
	}
	p.files += files
	p.total += bytes
	p.batch = p.batch || files > 1
	if p.width == nil && files > 1 {
		fmt.Fprintf(p.w, "fetch %d files, %s\n", files, bytesText(bytes))
	}
	p.show()
}

func (p *progress) Received(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = max(0, p.got+n) // what came in vain may have been counted before a Stop
	p.show()
}

func (p *progress) Done(string, int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if p.done < p.files {
		p.show()
		return
	}
	p.clear()
	if took := p.now().Sub(p.start); p.batch || took > lineEvery {
		fmt.Fprintf(p.w, "fetched %d files, %s in %.1f s\n", p.files, bytesText(p.got), took.Seconds())
	}
	p.reset()
}

func (p *progress) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.reset()
}

func (p *progress) reset() { p.batch, p.files, p.done, p.total, p.got = false, 0, 0, 0, 0 }

func (p *progress) clear() {
	if p.width != nil {
		io.WriteString(p.w, "\r\x1b[K")
	}
}

// show draws, if it is time to.
func (p *progress) show() {
	every := lineEvery
	if p.width != nil {
		every = drawEvery
	}
	now := p.now()
	if now.Sub(p.last) < every || p.files == 0 {
		return
	}
	p.last = now
	text := p.text(now)
	if p.width == nil {
		fmt.Fprintln(p.w, text)
		return
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s%s", text, p.bar(p.width()-len(text)-1))
}

func (p *progress) text(now time.Time) string {
	text := fmt.Sprintf("fetch %d/%d files, %s", p.done, p.files, bytesText(p.got))
	if p.total > 0 {
		text += " of " + bytesText(p.total)
	}
	if s := now.Sub(p.start).Seconds(); s > 0 {
		text += fmt.Sprintf(", %s/s", bytesText(int64(float64(p.got)/s)))
	}
	return text
}

// bar is as wide as there is room, and empty if there is little.
func (p *progress) bar(room int) string {
	room = min(room-3, 40)
	if room < 10 || p.total <= 0 {
		return ""
	}
	full := int(min(int64(room), int64(room)*p.got/p.total))
	return " [" + strings.Repeat("#", full) + strings.Repeat(" ", room-full) + "]"
}
