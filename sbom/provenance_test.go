package sbom

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"compose/internal/cas"
	"compose/resolve"
)

func TestProvenance(t *testing.T) {
	m := example()
	l := m.Lock
	l.Manifest, l.LayerEpoch = cas.Sum([]byte("manifest")), 1
	l.Platforms[0].Repositories[0].Indexes = []resolve.IndexFile{{Path: "dists/trixie/InRelease", Date: "2026-11-01T00:00:00Z", SHA256: cas.Sum([]byte("index")), Key: "ABCD"}}
	other := l.Platforms[0]
	other.Platform = "linux/arm64"
	l.Platforms = append(l.Platforms, other)
	b := Build{
		Tool: "compose-1", Builder: "https://ci.example.org", Lock: l, Platforms: []string{"linux/amd64", "linux/arm64"},
		PURL: func(p resolve.Locked) string { return "pkg:deb/debian/" + p.Name },
	}
	first, err := Provenance(b)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{
  "buildDefinition": {
    "buildType": "urn:compose:build:1",
    "externalParameters": {
      "manifest": {
        "digest": {
          "sha256": "%s"
        }
      },
      "lock": {
        "digest": {
          "sha256": "%s"
        }
      },
      "platforms": [
        "linux/amd64",
        "linux/arm64"
      ]
    },
    "internalParameters": {
      "layerEpoch": 1
    },
    "resolvedDependencies": [
      {
        "name": "hello",
        "uri": "pkg:deb/debian/hello",
        "digest": {
          "sha256": "%s"
        },
        "downloadLocation": "https://own.example.org/h/hello_2.10-3+b1_amd64.deb"
      },
      {
        "name": "libc6",
        "uri": "pkg:deb/debian/libc6",
        "digest": {
          "sha256": "%s"
        },
        "downloadLocation": "https://deb.example.org/debian/pool/main/g/glibc/libc6_2.41-12_amd64.deb"
      }
    ]
  },
  "runDetails": {
    "builder": {
      "id": "https://ci.example.org",
      "version": {
        "compose": "compose-1"
      }
    },
    "metadata": {},
    "byproducts": [
      {
        "name": "debian dists/trixie/InRelease",
        "digest": {
          "sha256": "%s"
        },
        "downloadLocation": "https://deb.example.org/debian/dists/trixie/InRelease",
        "annotations": {
          "date": "2026-11-01T00:00:00Z",
          "signedBy": "ABCD"
        }
      }
    ]
  }
}
`, l.Manifest.Hex(), cas.Sum(l.Bytes()).Hex(), cas.Sum([]byte("hello.deb")).Hex(), cas.Sum([]byte("libc6.deb")).Hex(), cas.Sum([]byte("index")).Hex())
	if string(first) != want {
		t.Errorf("got:\n%s\nwant:\n%s", first, want)
	}
	for range 10 { // the order of a lock in memory does not matter
		for _, p := range l.Platforms {
			rand.Shuffle(len(p.Packages), func(i, j int) { p.Packages[i], p.Packages[j] = p.Packages[j], p.Packages[i] })
		}
		if again, err := Provenance(b); err != nil || !bytes.Equal(first, again) {
			t.Fatalf("another order, another provenance: %v\n%s", err, again)
		}
	}
	b.Platforms = []string{"linux/s390x"}
	if _, err := Provenance(b); err == nil || !strings.Contains(err.Error(), "linux/s390x: not in the lock") {
		t.Errorf("unknown platform: %v", err)
	}
}
