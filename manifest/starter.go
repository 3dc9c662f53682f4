package manifest

// Starter is a small manifest with comments, for a project to begin with;
// format is "apk" or "deb", and anything else has none, "".
func Starter(format string) string { return starters[format] }

var starters = map[string]string{
	"deb": `# An image of Debian packages. All keys: compose schema
repositories:
  - debian: trixie              # with its updates and security fixes
    # snapshot: 20261101T000000Z  # the archive as it was at that time

packages:                       # with all that they depend on
  - ca-certificates
  - tzdata
  # - openssl>=3.5              # = < <= > >= and ~ (prefix)
  # - "!perl-base"              # must not be in the image

# elide: helpers                # do without packages that serve installation scripts alone
# slim: [docs, man, locales]

users:
  - {name: app, uid: 65532, gid: 65532, home: /home/app}
groups:
  - {name: app, gid: 65532}

# files:
#   - {path: /app/hello, source: ./hello, mode: "0755"}

config:
  user: app
  # entrypoint: [/app/hello]
  env: {LANG: C.UTF-8}

policy:                         # the build fails, and names the file
  forbid: [set-uid, package-manager]
`,
	"apk": `# An image of Alpine packages. All keys: compose schema
repositories:
  - alpine: v3.22               # main and community

packages:                       # with all that they depend on
  - alpine-baselayout
  - busybox
  - ca-certificates-bundle
  # - zlib~1.3                  # = < <= > >= and ~ (prefix)
  # - "!apk-tools"              # must not be in the image

# slim: [docs, man, locales]

users:
  - {name: app, uid: 65532, gid: 65532, home: /home/app}
groups:
  - {name: app, gid: 65532}

# files:
#   - {path: /app/hello, source: ./hello, mode: "0755"}

config:
  user: app
  entrypoint: [/bin/sh]
  env: {LANG: C.UTF-8}

policy:                         # the build fails, and names the file
  forbid: [set-uid, package-manager]
`,
}
