package fetch

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/internal/fault"
)

// randomStep is a fault, or now and then none.
func randomStep(r *rand.Rand) step {
	some := func() int { return r.IntN(len(golden)) }
	code := func(codes ...int) int { return codes[r.IntN(len(codes))] }
	steps := []func() step{
		func() step { return good(golden) },
		func() step { return version(golden, `"v"`) },
		func() step { return part(golden, some(), `ETag: "v"`) },
		func() step { return part(golden, some()) },
		func() step { n := some(); return part(golden[:n], n) },
		func() step { return unbounded(golden[:some()]) },
		func() step { return unbounded(golden) },
		func() step { return good(flipped(8 * some())) },
		func() step { return version(flipped(8*some()), `"v"`) },
		func() step { return endlessly },
		func() step { return status(code(206, 304, 401, 403, 404, 410, 416, 429, 500, 503)) },
		func() step {
			return status(code(429, 503), "Retry-After: "+[]string{"0", "-1", "99999", "x"}[r.IntN(4)])
		},
		func() step {
			return redirect([]string{"/other", "/golden.deb", "ftp://example.org/", "/\u0085", "http://"}[r.IntN(5)])
		},
		func() step {
			from := some()
			return status(206, fmt.Sprintf("Content-Range: bytes %d-%d/%d", from, len(golden)-1, len(golden)))
		},
		func() step { return resumeCut(0, some(), `"v"`) },
		func() step { return noRange(golden) },
		func() step {
			return raw([]string{"", "HTTP/1.1 2", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}[r.IntN(4)])
		},
	}
	if r.IntN(40) == 0 {
		return stall(some() - 1)
	}
	return steps[r.IntN(len(steps))]()
}

// Whatever the servers do, the end is the right bytes or a refusal with a
// name. PLANS is how many random plans to try, SEED where to begin.
func TestRandomPlans(t *testing.T) {
	plans, seed := 400, uint64(1)
	if v, err := strconv.Atoi(os.Getenv("PLANS")); err == nil {
		plans = v
	}
	if v, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64); err == nil {
		seed = v
	}
	for group := range 16 {
		t.Run(fmt.Sprint("group ", group), func(t *testing.T) {
			t.Parallel()
			for i := group; i < plans; i += 16 {
				randomPlan(t, seed+uint64(i))
			}
		})
	}
}

func randomPlan(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	var urls []string
	for range 1 + r.IntN(3) {
		var steps []step
		for range 1 + r.IntN(5) {
			steps = append(steps, randomStep(r))
		}
		if r.IntN(2) == 0 {
			steps = append(steps, good(golden))
		}
		urls = append(urls, serve(t, steps...).URL)
	}
	c, src := fetcher(t, urls...)
	err := fetchGolden(t, c, src)
	if err == nil {
		return
	}
	codes := []int{fault.TrustHash.Exit(), fault.LimitSize.Exit(), fault.Transfer.Exit()}
	if !slices.Contains(codes, fault.Of(err).Exit()) {
		t.Errorf("seed %d: %s: %v", seed, fault.Of(err), err)
	}
	if strings.ContainsAny(err.Error(), "\n\x1b\u0085") {
		t.Errorf("seed %d: %q", seed, err)
	}
	if info := stored(c.Store); info > 0 {
		t.Errorf("seed %d: refused, but %d blobs are stored: %v", seed, info, err)
	}
}

// stored says whether the store has the file or what usually comes instead.
func stored(s cas.Store) (n int) {
	for k := 0; k < len(golden); k += 1000 {
		if s.Has(cas.Sum(golden[:k]), -1) {
			n++
		}
	}
	return n
}
