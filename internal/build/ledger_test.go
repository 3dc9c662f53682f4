package build

import (
	"testing"

	"compose/internal/finalize"
	"compose/internal/script"
)

// A ledger names a finalizer only if there is one of that name.
func TestFinalizersThatLedgersNameAreThere(t *testing.T) {
	there := map[string]bool{}
	for _, name := range finalize.Names() {
		there[name] = true
	}
	for _, name := range script.Finalizers(script.Names()) {
		if !there[name] {
			t.Errorf("finalizer %q: there is none", name)
		}
	}
}
