package finalize

// release is no program: it stands for base-files and alpine-release, whose
// /etc/os-release a small image often goes without. Scanners then cannot tell
// the distribution, and find no vulnerability.
var release = finalizer{
	name:    "os-release",
	program: "the file of base-files or alpine-release",
	applies: func(in *Input) bool {
		return len(in.OSRelease) > 0 && in.Tree.Lookup("etc/os-release") == nil && in.Tree.Lookup("usr/lib/os-release") == nil
	},
	run: func(j *job) error {
		if err := j.file("usr/lib/os-release", 0o644, j.OSRelease); err != nil {
			return err
		}
		return j.link("etc/os-release", "../usr/lib/os-release")
	},
}
