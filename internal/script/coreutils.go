package script

import (
	"io"
)

func init() {
	register(map[string]Command{"cat": cat})
}

// input opens the files that a filter is given, "-" being standard input; all
// of it where there are none. It reports files that cannot be read.
func (c *Call) input(files []string, each func(name string, r io.Reader) error) (status int, _ error) {
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		f := fd{r: c.Stdin}
		if name != "-" {
			var err error
			if f, err = c.shell.open(name, reading); err != nil {
				c.Errorf("%s: %v", name, reason(err))
				status = 1
				continue
			}
		}
		if err := each(name, f.r); err != nil {
			c.Errorf("%s: %v", name, reason(err))
			status = 1
		}
	}
	return status, nil
}

func cat(c *Call) error {
	status, err := c.input(c.Args[1:], func(_ string, r io.Reader) error {
		_, err := io.Copy(c.Stdout, r)
		return err
	})
	if err != nil {
		return err
	}
	return Exit(status)
}
