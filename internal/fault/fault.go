// Package fault gives each kind of refusal a stable name and an exit code, so
// that a script can tell a bad signature from a full disk.
//
// Anything that may refuse something from outside answers a fault: the error
// says the object, a colon, what was expected and what was seen. An error
// that is no fault and no manifest error is a defect of ours, exit code 1.
package fault

import (
	"errors"
	"fmt"
)

// An ID is the stable name of a kind of refusal.
type ID string

// The kinds, by exit code (DESIGN.md part 5).
const (
	Usage ID = "USAGE" // 2: manifest or command line

	NoSolution ID = "NO-SOLUTION" // 3: no closure satisfies the wants
	Conflict   ID = "FILE-OWNED-TWICE"

	TrustSig         ID = "TRUST-SIG" // 4: never retried
	TrustUnsigned    ID = "TRUST-UNSIGNED"
	TrustKeyScope    ID = "TRUST-KEY-SCOPE"
	TrustKeyExpired  ID = "TRUST-KEY-EXPIRED"
	TrustWeak        ID = "TRUST-WEAK"
	TrustWeakHash    ID = "TRUST-WEAK-HASH"
	TrustStale       ID = "TRUST-STALE"
	TrustRollback    ID = "TRUST-ROLLBACK"
	TrustFuture      ID = "TRUST-FUTURE"
	TrustWrongSuite  ID = "TRUST-WRONG-SUITE"
	TrustHash        ID = "TRUST-HASH"
	TrustIdentity    ID = "TRUST-IDENTITY"
	TrustPath        ID = "TRUST-PATH"
	TrustAttestation ID = "TRUST-ATTESTATION" // an image's signature or attestation does not verify
	NetDowngrade     ID = "NET-DOWNGRADE"
	NetRedirect      ID = "NET-REDIRECT"
	NetTLS           ID = "NET-TLS"

	UnsafeEntry    ID = "UNSAFE-ENTRY" // 5: content that could do harm, or exceeds a limit
	UnsafeWhiteout ID = "UNSAFE-WHITEOUT"
	UnsafeKernel   ID = "UNSAFE-KERNEL"
	FormatInvalid  ID = "FORMAT-INVALID"
	FormatTrailing ID = "FORMAT-TRAILING"
	LimitExpanded  ID = "LIMIT-EXPANDED"
	LimitSize      ID = "LIMIT-SIZE"

	Transfer ID = "NET-TRANSFER" // 6: failed after retries; safe to run again
	Offline  ID = "NET-OFFLINE"

	LocalSpace ID = "LOCAL-SPACE" // 7: disk, permission, lock
	LocalFile  ID = "LOCAL-FILE"

	Publish ID = "PUBLISH" // 8

	Repro     ID = "REPRO-DIGEST" // 9: differs from lock or expected digest
	LockStale ID = "LOCK-STALE"
	LockEpoch ID = "LOCK-EPOCH"

	Policy ID = "POLICY" // 10
)

var exits = map[ID]int{
	Usage:      2,
	NoSolution: 3, Conflict: 3,
	TrustSig: 4, TrustUnsigned: 4, TrustKeyScope: 4, TrustKeyExpired: 4, TrustWeak: 4, TrustWeakHash: 4, TrustStale: 4,
	TrustRollback: 4, TrustFuture: 4, TrustWrongSuite: 4, TrustHash: 4, TrustIdentity: 4, TrustPath: 4, TrustAttestation: 4,
	NetDowngrade: 4, NetRedirect: 4, NetTLS: 4,
	UnsafeEntry: 5, UnsafeWhiteout: 5, UnsafeKernel: 5, FormatInvalid: 5, FormatTrailing: 5, LimitExpanded: 5, LimitSize: 5,
	Transfer: 6, Offline: 6,
	LocalSpace: 7, LocalFile: 7,
	Publish: 8,
	Repro:   9, LockStale: 9, LockEpoch: 9,
	Policy: 10,
}

// Exit is the exit code of the kind; an unknown one is a defect, 1.
func (id ID) Exit() int {
	if code, ok := exits[id]; ok {
		return code
	}
	return 1
}

// An Error is a refusal: its kind, and what was refused and why.
type Error struct {
	ID  ID
	Err error
}

// New is the refusal that fmt.Errorf(format, args...) words.
func New(id ID, format string, args ...any) *Error {
	return &Error{ID: id, Err: fmt.Errorf(format, args...)}
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Of finds the kind of the outermost refusal in err's chain; "" where there
// is none.
func Of(err error) ID {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.ID
	}
	return ""
}
