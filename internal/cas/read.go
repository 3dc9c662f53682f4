package cas

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
)

// A verified reads the bytes of a Ref and hashes them on the way.
type verified struct {
	r    io.Reader
	ref  Ref
	h    hash.Hash
	left int64
	bad  func(seen string) // told once of damage; may be nil
	done func() error      // gives back what r stands on
	err  error             // what Read answers from now on
}

func verify(r io.Reader, ref Ref, bad func(string), done func() error) *verified {
	return &verified{r: r, ref: ref, h: sha256.New(), left: ref.Size, bad: bad, done: done}
}

// Read never hands out the last bytes before all of them were checked: who
// reads exactly ref.Size bytes and does not look for io.EOF is safe as well.
func (v *verified) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	if v.left == 0 {
		return 0, v.finish()
	}
	if int64(len(p)) > v.left {
		p = p[:v.left]
	}
	n, err := v.r.Read(p)
	v.h.Write(p[:n])
	v.left -= int64(n)
	if v.left == 0 {
		if err := v.finish(); err != io.EOF {
			return 0, err
		}
		return n, nil
	}
	if err == io.EOF {
		return n, v.damaged(fmt.Sprintf("%d of %d bytes", v.ref.Size-v.left, v.ref.Size))
	}
	if err != nil {
		return n, v.damaged(err.Error())
	}
	return n, nil
}

func (v *verified) finish() error {
	if seen := Digest(v.h.Sum(nil)); seen != v.ref.Digest {
		return v.damaged(seen.String())
	}
	v.err = io.EOF
	return v.err
}

func (v *verified) damaged(seen string) error {
	if v.bad != nil {
		v.bad(seen)
	}
	v.err = fmt.Errorf("%v: %w: holds %s", v.ref.Digest, ErrDamaged, seen)
	return v.err
}

func (v *verified) Close() error {
	if v.done == nil {
		return nil
	}
	done := v.done
	v.done = nil
	return done()
}
