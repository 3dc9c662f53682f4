package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"compose/internal/build"
	"compose/internal/cas"
	"compose/internal/fault"
	"compose/manifest"
)

// An app is what every verb shares: the global flags and the streams.
type app struct {
	stdout, stderr io.Writer

	quiet, verbose bool
	cacheDir       string
	offline        bool
	mirrors        []string
	jobs           int
	project        string

	asData  bool           // explain a failure as JSON too
	root    string         // the project's folder, once a manifest was opened
	closers []func() error // what to give back at the end
}

// command is the whole command line.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "compose",
		Short:         "Compose a minimal, bit-identical container image from distribution packages",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = true

	f := root.PersistentFlags()
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print errors only")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "print every step")
	f.StringVar(&a.cacheDir, "cache-dir", "", "content store (default $XDG_CACHE_HOME/compose, ~/.cache/compose)")
	f.BoolVar(&a.offline, "offline", false, "use the content store only; open no connection")
	f.StringArrayVar(&a.mirrors, "mirror", nil, "take an archive from here: `NAME=URL`, NAME being debian, debian-security, alpine ...")
	f.IntVarP(&a.jobs, "jobs", "j", 0, "how much to do at once (default: number of cores)")
	f.StringVar(&a.project, "project", "", "folder that the manifest's paths stay within (default: the nearest above it with .git, or its own)")

	root.AddCommand(
		a.buildCommand(), a.lockCommand(), a.resolveCommand(), a.whyCommand(), a.treeCommand(), a.auditCommand(), a.diffCommand(),
		a.keygenCommand(), a.signCommand(), a.verifyCommand(),
		a.initCommand(), a.schemaCommand(), a.cacheCommand(), a.versionCommand(),
	)
	for _, c := range root.Commands() {
		wrapArgs(c)
	}
	return root
}

// wrapArgs makes a wrong number of arguments a mistake of usage.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{err}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

// log is where everything but results and errors goes.
func (a *app) log() *slog.Logger {
	level := slog.LevelInfo
	switch {
	case a.quiet:
		level = slog.LevelError
	case a.verbose:
		level = slog.LevelDebug
	}
	f, ok := a.stderr.(*os.File)
	return slog.New(tint.NewTextHandler(a.stderr, &tint.Options{
		Level:   level,
		NoColor: !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("NO_COLOR") != "",
		ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{} // a build log is compared between runs
			}
			return attr
		},
	}))
}

// store opens the content store.
func (a *app) store() (*cas.Dir, error) {
	dir := a.cacheDir
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			if base, err = os.MkdirTemp("", "compose-cache-"); err != nil { // no home: keep nothing
				return nil, fault.New(fault.LocalFile, "content store: %w; use --cache-dir", err)
			}
		}
		dir = filepath.Join(base, "compose")
	}
	store, err := cas.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	log := a.log()
	store.Warn = func(msg string) { log.Warn(printable(msg)) }
	a.closers = append(a.closers, store.Close)
	if store.ReadOnly() {
		log.Warn(store.Path() + ": cannot be written: what is fetched now is not kept")
	}
	if store.Shared() {
		log.Warn(store.Path() + ": others may write here: what was computed from its contents is computed again")
	}
	return store, nil
}

// parallel is how much to do at once.
func (a *app) parallel() int {
	if a.jobs > 0 {
		return a.jobs
	}
	return runtime.GOMAXPROCS(0)
}

// A project is an opened manifest with the folder that it may reach.
type project struct {
	image *manifest.Image
	root  *os.Root
	path  string // the manifest's path on the host

	chosen bool // the command line names the platforms, in the manifest's place
}

func (p *project) lockPath() string {
	return strings.TrimSuffix(strings.TrimSuffix(p.path, ".yaml"), ".yml") + ".lock.json"
}

func (p *project) Close() error { return p.root.Close() }

// open parses the manifest at path.
func (a *app) open(path string, platforms []string) (*project, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if st, err := os.Stat(full); err != nil {
		return nil, fault.New(fault.Usage, "%s: %w", path, cause(err))
	} else if st.IsDir() {
		full = filepath.Join(full, "image.yaml")
	}
	dir := a.project
	if dir == "" {
		dir = projectOf(filepath.Dir(full))
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(dir, full)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, fault.New(fault.Usage, "%s: not within the project %s", path, dir)
	}
	a.root = dir
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.New(fault.Usage, "project %s: %w", dir, cause(err))
	}
	img, err := manifest.Parse(root.FS(), filepath.ToSlash(rel), manifest.Options{DefaultName: filepath.Base(filepath.Dir(full))})
	if err == nil && len(platforms) > 0 {
		if img.Platforms, err = manifest.ParsePlatforms(platforms); err != nil {
			err = &usageError{err}
		}
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	if len(img.Platforms) == 0 {
		img.Platforms = []manifest.Platform{{OS: "linux", Arch: runtime.GOARCH}}
	}
	return &project{image: img, root: root, path: full, chosen: len(platforms) > 0}, nil
}

// projectOf is the nearest folder at or above dir that holds .git, or dir.
func projectOf(dir string) string {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil {
			return d
		}
		if d == filepath.Dir(d) {
			return dir
		}
	}
}

// cause is what the system said, without the call and the path.
func cause(err error) error {
	if pe, ok := err.(*os.PathError); ok {
		return pe.Err
	}
	return err
}

// env is what a build of p reaches the world through.
func (a *app) env(p *project) (build.Env, error) {
	store, err := a.store()
	if err != nil {
		return build.Env{}, err
	}
	client, err := a.client(store)
	if err != nil {
		return build.Env{}, err
	}
	log := a.log()
	return build.Env{
		Store:   store,
		Fetch:   client,
		Project: p.root.FS(),
		Now:     time.Now(),
		Jobs:    a.parallel(),
		Warn:    func(format string, args ...any) { log.Warn(printable(sprintf(format, args...))) },
	}, nil
}
