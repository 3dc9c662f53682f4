package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"compose/internal/fault"
	"compose/internal/oci"
	"compose/internal/sign"
	"compose/sbom"
)

// verification is what compose verify --json prints.
type verification struct {
	Digest       string   `json:"digest"`
	Signatures   int      `json:"signatures"`
	Attestations []string `json:"attestations"` // predicate types, as stored
	Proved       []string `json:"proved"`       // what was compared with what they state, in words
}

type verifyFlags struct {
	keyFile    string
	predicates []string
	lockFile   string
	asJSON     bool
}

func (a *app) verifyCommand() *cobra.Command {
	var flags verifyFlags
	c := &cobra.Command{
		Use:   "verify IMAGE --key cosign.pub",
		Short: "Check an image's signature and attestations",
		Long: `Verify checks the signature of an image and all attestations by the key. What
compose attested is compared with the image: every file of the SBOM with the
files of the layers, and, with --lock, the provenance with a lock. A missing
--attestation is a failure.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := verify(cmd.Context(), args[0], flags)
			if err != nil {
				return err
			}
			if flags.asJSON {
				return a.printJSON(v)
			}
			fmt.Fprintln(a.stdout, v.Digest)
			log := a.log()
			log.Info(fmt.Sprintf("%d signature(s) by %s", v.Signatures, flags.keyFile))
			for _, line := range append(v.Attestations, v.Proved...) {
				log.Info(printable(line))
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&flags.keyFile, "key", "", "public `FILE`")
	f.StringSliceVar(&flags.predicates, "attestation", nil, "require an attestation of this predicate `TYPE`, for example "+sign.SPDX)
	f.StringVar(&flags.lockFile, "lock", "", "compare the provenance with this image.lock.json")
	f.BoolVar(&flags.asJSON, "json", false, "print JSON")
	if err := c.MarkFlagRequired("key"); err != nil {
		panic(err)
	}
	return c
}

func verify(ctx context.Context, image string, flags verifyFlags) (*verification, error) {
	key, err := sign.LoadPublicKey(flags.keyFile)
	if err != nil {
		return nil, err
	}
	place, err := openPlace(ctx, image)
	if err != nil {
		return nil, err
	}
	defer place.Close()
	proof, err := key.Verify(ctx, place, flags.predicates...)
	if err != nil {
		return nil, err
	}
	v := &verification{Digest: proof.Image.Digest.String(), Signatures: proof.Signatures, Attestations: []string{}, Proved: []string{}}
	for _, c := range proof.Claims {
		v.Attestations = append(v.Attestations, c.PredicateType)
	}
	if err := v.compareSBOMs(ctx, image, proof); err != nil {
		return nil, err
	}
	return v, v.compareProvenance(flags.lockFile, proof)
}

// compareSBOMs compares every SBOM that compose has attested with the files
// of the image that it is about.
func (v *verification) compareSBOMs(ctx context.Context, image string, proof *sign.Proof) error {
	var stored *oci.Stored
	for _, c := range proof.Claims {
		if c.PredicateType != sign.SPDX || !bytes.Contains(c.Predicate, []byte(`"Tool: compose-`)) {
			continue
		}
		if stored == nil {
			var err error
			if stored, err = openImage(ctx, image); err != nil {
				return err
			}
			defer stored.Close()
		}
		for _, img := range stored.Images {
			if len(stored.Images) > 1 && string(img.Manifest.Digest) != c.Image.Digest.String() {
				continue
			}
			tree, err := img.Tree(ctx, nil)
			if err != nil {
				return err
			}
			if err := sbom.CheckFiles(c.Predicate, c.Image.Digest, tree); err != nil {
				return err
			}
			v.Proved = append(v.Proved, fmt.Sprintf("%s: the SBOM names every file of the image, and no other", oci.PlatformName(img.Platform)))
		}
	}
	return nil
}

// compareProvenance compares attested provenance with a lock, if one is given.
func (v *verification) compareProvenance(lockFile string, proof *sign.Proof) error {
	if lockFile == "" {
		return nil
	}
	lock, err := readLock(lockFile)
	if err != nil {
		return err
	}
	if lock == nil {
		return fault.New(fault.Usage, "%s: no such file", lockFile)
	}
	compared := false
	for _, c := range proof.Claims {
		if c.PredicateType != sign.SLSA {
			continue
		}
		if err := sbom.CheckProvenance(c.Predicate, lock); err != nil {
			return err
		}
		compared = true
		v.Proved = append(v.Proved, "the provenance names the packages of "+lockFile)
	}
	if !compared {
		return fault.New(fault.TrustAttestation, "%s: no provenance by the key to compare it with", lockFile)
	}
	return nil
}
