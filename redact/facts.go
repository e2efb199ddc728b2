package redact

import "aftershock/schema"

// facts are the public facts: all of schema.Facts, each of which the list of public fields
// names, but for those that tell an annotation which is not public any more by the
// registry of today; means is what annotations mean by it.
func facts(p *schema.ProcessedCrash, registry *schema.Registry, means map[string]string) *schema.Facts {
	if p.Facts == nil {
		return nil
	}
	out := *p.Facts
	if means[schema.MeansVersion] == "" {
		out.DisplayVersion, out.MajorVersion = nil, nil
	}
	if kind := out.ProcessType; kind != nil && *kind != means[schema.MeansProcessType] && *kind != schema.MainProcess {
		out.ProcessType = nil
	}
	hidden := func(annotation string) bool { return registry.Lookup(annotation).Class != schema.ClassPublic }
	if hidden("CrashTime") {
		out.CrashTime, out.Uptime, out.InstallAge = nil, nil, nil
	}
	if hidden("StartupTime") {
		out.StartupTime, out.Uptime = nil, nil
	}
	if hidden("InstallTime") {
		out.InstallTime, out.InstallAge = nil, nil
	}
	if hidden("SecondsSinceLastCrash") {
		out.SecondsSinceLastCrash = nil
	}
	if hidden("StartupCrash") {
		out.StartupCrash = nil
	}
	if hidden("SubmittedFrom") {
		out.SubmittedFrom = nil
	}
	never := func(annotations ...string) bool {
		for _, name := range annotations {
			if registry.Lookup(name).Class == schema.ClassNeverStore {
				return true
			}
		}
		return false
	}
	// Public forms of protected text: who forbids the text forbids its form.
	if never("MozCrashReason") {
		out.MozCrashReason = nil
	}
	if never("AbortMessage") {
		out.AbortMessage = nil
	}
	if never(schema.AssertionNames...) { // what is never stored is so in every spelling
		out.Assertion = nil
	}
	if never("JavaException", "JavaStackTrace") {
		out.JavaExceptionClass, out.JavaStack = nil, nil
	}
	if never("AsyncShutdownTimeout") {
		out.AsyncShutdownPhase, out.AsyncShutdownBlockers = nil, nil
	}
	if never("Add-ons") {
		out.AddonCount = nil
	}
	if never("AdapterVendorID", "AdapterDeviceID") {
		out.GPUVendor, out.GPUDevice = nil, nil
	}
	if never("DistributionID", "TelemetryEnvironment") {
		out.DistributionID = nil
	}
	if never("UtilityActorsName") {
		out.UtilityActors = nil
	}
	if never("CPUMicrocodeVersion") {
		out.CPUMicrocode = nil
	}
	return &out
}
