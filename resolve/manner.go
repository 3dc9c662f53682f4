package resolve

// Manners are the habits of a format's own tool that decide which of several
// closures it takes. A Syntax that also has a method Manners() Manners tells
// them; one without has the zero value.
type Manners struct {
	// DepthFirst takes the dependencies one by one, each with everything
	// below it, in the order in which packages write them; a dependency
	// that a package already taken satisfies adds nothing (apt). Otherwise
	// all that follows from what is already chosen is known before the
	// next choice (apk).
	DepthFirst bool

	// Named: a want means the package of that name where there is one, and
	// is refused where several packages merely provide it (apt).
	Named bool

	// Exclusive: two packages that provide the same name exclude each
	// other, unless both provide it without a version (apk). Two packages
	// of one name exclude each other in every format.
	Exclusive bool

	// Bare: a name provided without a version counts as older than every
	// version of it (apk); otherwise it satisfies no constraint. A package
	// is not taken for such a name alone, unless it has a Priority or a
	// preference decides: the want is refused with the names to choose from.
	Bare bool

	// LastMentioned: of packages that provide a name and rank the same, the
	// one that the relations of all packages mention last is taken (apt).
	// Otherwise it is the last by source package and name.
	LastMentioned bool

	// ByProvided: the version at which packages provide a name decides
	// between them before anything else (apk). Otherwise the package of
	// that name comes first (apt).
	ByProvided bool
}

func manners(s Syntax) Manners {
	if m, ok := s.(interface{ Manners() Manners }); ok {
		return m.Manners()
	}
	return Manners{}
}
