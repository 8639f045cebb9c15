package verify

// Apply changes a profile by the remedy.
func (r Remedy) Apply(p *Profile) { r.apply(p) }
