package fetch

// Progress is told of transfers as they happen, from several goroutines.
type Progress interface {
	// Begin announces files that are about to come, and their size in bytes
	// as far as it is known.
	Begin(files int, bytes int64)
	// Received counts bytes that came; below zero, bytes that came in vain.
	Received(n int64)
	// Done says that a file is in the store.
	Done(name string, size int64)
	// Stop says that nothing more comes of what was announced.
	Stop()
}

func (c *Client) begin(files int, bytes int64) {
	if c.Progress != nil {
		c.Progress.Begin(files, bytes)
	}
}

func (c *Client) received(n int64) {
	if c.Progress != nil {
		c.Progress.Received(n)
	}
}

func (c *Client) done(name string, size int64) {
	if c.Progress != nil {
		c.Progress.Done(name, size)
	}
}

func (c *Client) stopped() {
	if c.Progress != nil {
		c.Progress.Stop()
	}
}
