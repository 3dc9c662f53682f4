package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"compose/internal/sign"
)

// verification is what compose verify --json prints.
type verification struct {
	Digest       string   `json:"digest"`
	Signatures   int      `json:"signatures"`
	Attestations []string `json:"attestations"` // predicate types, as stored
}

func (a *app) verifyCommand() *cobra.Command {
	var keyFile string
	var predicates []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify IMAGE --key cosign.pub",
		Short: "Check an image's signature and attestations",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := sign.LoadPublicKey(keyFile)
			if err != nil {
				return err
			}
			place, err := openPlace(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer place.Close()
			proof, err := key.Verify(cmd.Context(), place, predicates...)
			if err != nil {
				return err
			}
			v := verification{Digest: proof.Image.Digest.String(), Signatures: proof.Signatures, Attestations: []string{}}
			for _, c := range proof.Claims {
				v.Attestations = append(v.Attestations, c.PredicateType)
			}
			if asJSON {
				return a.printJSON(v)
			}
			fmt.Fprintln(a.stdout, v.Digest)
			fmt.Fprintf(a.stderr, "%d signature(s) by %s\n", v.Signatures, keyFile)
			for _, t := range v.Attestations {
				fmt.Fprintf(a.stderr, "attestation %s\n", t)
			}
			return nil
		},
	}
	c.Flags().StringVar(&keyFile, "key", "", "public `FILE`")
	c.Flags().StringSliceVar(&predicates, "attestation", nil, "require an attestation of this predicate `TYPE`, for example "+sign.SPDX)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	if err := c.MarkFlagRequired("key"); err != nil {
		panic(err)
	}
	return c
}
