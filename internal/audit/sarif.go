package audit

import "strings"

// SARIF is the part of a SARIF 2.1.0 log that code-scanning pages read: one
// run, a rule for each rule of the policy, a result for each violation.
type SARIF struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool    sarifTool     `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID   string    `json:"id"`
	Text sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID      string            `json:"ruleId"`
	Level       string            `json:"level"`
	Message     sarifText         `json:"message"`
	Locations   []sarifLocation   `json:"locations"`
	Fingerprint map[string]string `json:"partialFingerprints"`
}

type sarifLocation struct {
	Physical sarifPhysical  `json:"physicalLocation"`
	Logical  []sarifLogical `json:"logicalLocations"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   sarifRegion   `json:"region"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	Line int `json:"startLine"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

// ruleTexts say in a sentence what each rule forbids.
var ruleTexts = map[string]string{
	"shell":               "The image has no shell",
	"set-uid":             "No file is set-uid or set-gid",
	"package-manager":     "The image has no package manager",
	"world-writable":      "Nothing is writable by everyone, but for sticky folders",
	"unknown-scripts":     "What the scripts of packages do is known",
	"missing-interpreter": "Everything executable has what runs it",
	"missing-library":     "Every object finds the libraries that it needs",
}

// NewSARIF puts the violations of an image's policy in that form. Files of an
// image have no place in a repository: each result points to the line of the
// file, relative to the repository, that states its rule.
func NewSARIF(tool string, p Policy, list []Violation, file string, line func(rule string) int) SARIF {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "compose", Version: tool, Rules: []sarifRule{}}}, Results: []sarifResult{}}
	for _, rule := range p.Forbid {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{rule, sarifText{ruleTexts[rule]}})
	}
	for _, v := range list {
		run.Results = append(run.Results, sarifResult{
			RuleID: v.Rule, Level: "error", Message: sarifText{v.String() + ". " + strings.ToUpper(v.Hint[:1]) + v.Hint[1:] + "."},
			Locations: []sarifLocation{{
				Physical: sarifPhysical{sarifArtifact{file}, sarifRegion{max(1, line(v.Rule))}},
				Logical:  []sarifLogical{{v.Item, "resource"}},
			}},
			Fingerprint: map[string]string{"item/v1": v.Rule + ":" + v.Item},
		})
	}
	return SARIF{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}
