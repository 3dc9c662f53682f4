package manifest

// An object is a JSON object.
type object = map[string]any

// Schema is the JSON Schema (draft 2020-12) of image.yaml. It is made of what
// Parse reads by, so it cannot disagree with it; what no schema can say, such
// as that a file exists, it leaves out.
func Schema() []byte {
	s := image.schema()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "image.yaml, a manifest of compose"
	return writeJSON(s)
}

func (t *text) schema() object {
	s := object{"type": "string"}
	if t.words != nil {
		return object{"enum": t.words}
	}
	if t.pattern != "" {
		s["pattern"] = t.pattern
	}
	if t.max > 0 {
		s["maxLength"] = t.max
	}
	if t.example != "" {
		s["examples"] = []string{t.example}
	}
	return s
}

func (truth) schema() object { return object{"type": "boolean"} }

func (s number) schema() object {
	return object{"type": "integer", "minimum": s.min, "maximum": s.max}
}

func (l list) schema() object {
	s := object{"type": "array", "items": l.of.schema()}
	if l.unique {
		s["uniqueItems"] = true
	}
	if l.some {
		s["minItems"] = 1
	}
	if l.most > 0 {
		s["maxItems"] = l.most
	}
	return s
}

func (t table) schema() object {
	return object{"type": "object", "propertyNames": t.key.schema(), "additionalProperties": t.value.schema()}
}

func (e either) schema() object {
	of := []object{e.scalar.schema()}
	for _, s := range []shape{e.list, e.record} {
		if s != nil {
			of = append(of, s.schema())
		}
	}
	return object{"anyOf": of}
}

func (r record) schema() object {
	properties, need := object{}, []string{}
	for _, k := range r.keys {
		p := k.shape.schema()
		p["description"] = k.doc
		if k.initial != nil {
			p["default"] = k.initial
		}
		properties[k.name] = p
		if k.need {
			need = append(need, k.name)
		}
	}
	s := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(need) > 0 {
		s["required"] = need
	}
	return s
}

func (ch choice) schema() object {
	var of []object
	for _, r := range ch.records {
		of = append(of, r.schema())
	}
	return object{"oneOf": of}
}
