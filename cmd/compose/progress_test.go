package main

import (
	"bytes"
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	wide := func() int { return 80 }
	tests := []struct {
		rule  string
		width func() int
		do    func(p *progress, wait func(time.Duration))
		want  string
	}{{
		rule: "a log tells when many files begin and when they are there",
		do: func(p *progress, wait func(time.Duration)) {
			p.Begin(2, 3<<20)
			p.Received(1 << 20)
			p.Done("a", 1<<20)
			wait(2 * time.Second)
			p.Received(2 << 20)
			p.Done("b", 2<<20)
		},
		want: "fetch 2 files, 3.0 MiB\nfetched 2 files, 3.0 MiB in 2.0 s\n",
	}, {
		rule: "a log says nothing of small files, one by one",
		do: func(p *progress, wait func(time.Duration)) {
			p.Begin(1, 0)
			p.Begin(1, 0)
			p.Received(1000)
			p.Done("InRelease", 1000)
			p.Received(1000)
			p.Done("InRelease", 1000)
		},
	}, {
		rule: "a log shows now and then that something happens",
		do: func(p *progress, wait func(time.Duration)) {
			p.Begin(1, 0)
			for range 25 {
				wait(time.Second)
				p.Received(1 << 20)
			}
		},
		want: "fetch 0/1 files, 10.0 MiB, 1.0 MiB/s\nfetch 0/1 files, 20.0 MiB, 1.0 MiB/s\n",
	}, {
		rule:  "a terminal shows a bar, and nothing of it stays when it was stopped",
		width: wide,
		do: func(p *progress, wait func(time.Duration)) {
			p.Begin(2, 4<<20)
			wait(time.Second)
			p.Received(1 << 20)
			p.Received(1)
			p.Stop()
		},
		want: "\r\x1b[Kfetch 0/2 files, 1.0 MiB of 4.0 MiB, 1.0 MiB/s [#######                       ]\r\x1b[K",
	}, {
		rule:  "bytes that came in vain never make less than nothing",
		width: wide,
		do: func(p *progress, wait func(time.Duration)) {
			p.Begin(1, 4<<20)
			wait(time.Second)
			p.Received(-5)
		},
		want: "\r\x1b[Kfetch 0/1 files, 0 B of 4.0 MiB, 0 B/s [                                      ]",
	}}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			var b bytes.Buffer
			now := time.Unix(0, 0)
			p := &progress{w: &b, width: tt.width, now: func() time.Time { return now }}
			tt.do(p, func(d time.Duration) { now = now.Add(d) })
			if b.String() != tt.want {
				t.Errorf("got  %q\nwant %q", b.String(), tt.want)
			}
		})
	}
}
