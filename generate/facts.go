package generate

import "aftershock/schema"

// facts puts together what facts.Derive gives for the parts of a crash: of each part what
// is derived of it alone.
func (g *Crashes) facts(p *parts) (*schema.Facts, *schema.ProtectedFacts) {
	f, prot := *p.template.of.Public, *p.template.of.Protected
	of := p.process.of.Public
	f.ProcessType, f.UtilityActors = of.ProcessType, of.UtilityActors
	f.DisplayVersion, f.MajorVersion = p.build.of.DisplayVersion, p.build.of.MajorVersion
	f.CrashTime, f.StartupTime, f.InstallTime = &p.times.crash, &p.times.startup, &p.times.install
	f.Uptime, f.InstallAge = &p.times.uptime, &p.times.age
	if p.times.clockSet {
		f.Uptime = nil
	}
	if p.times.sinceLast >= 0 {
		f.SecondsSinceLastCrash = &p.times.sinceLast
	}
	f.StartupCrash, f.AddonsChecked = &p.startup, &yes
	if p.submitted != "" {
		f.SubmittedFrom = &p.submitted
	}
	if p.accessible != "" {
		f.Accessibility = &yes
	}
	of = p.machine.of.Public
	f.CPUMicrocode, f.GPUVendor, f.GPUDevice, f.DistributionID = of.CPUMicrocode, of.GPUVendor, of.GPUDevice, of.DistributionID
	if p.addons != nil {
		f.AddonCount, prot.Addons = p.addons.of.Public.AddonCount, p.addons.of.Protected.Addons
	}
	if p.crumbs != nil {
		prot.Breadcrumbs = p.crumbs.of.Protected.Breadcrumbs
	}
	if p.template.nature.bare() {
		if p.template.nature.kind == empty {
			f.AdditionalDumpCount = new(int32(0))
		}
		if p.saysSystem() {
			f.OSPrettyVersion, f.AndroidAPILevel = of.OSPrettyVersion, of.AndroidAPILevel
		}
		return &f, &prot
	}
	f.OSPrettyVersion, f.OSBuild, f.AndroidAPILevel, f.HasMacBootArgs = of.OSPrettyVersion, of.OSBuild, of.AndroidAPILevel, of.HasMacBootArgs
	prot.MacBootArgs, prot.LinuxRelease = p.machine.of.Protected.MacBootArgs, p.machine.of.Protected.LinuxRelease
	of = p.wrong.of.Public
	f.AddressKind, f.NullOffset, f.MemoryAccess, f.CrashInconsistencies, f.BitFlipPercent = of.AddressKind, of.NullOffset, of.MemoryAccess, of.CrashInconsistencies, p.flip
	also := p.wrong.of.Protected
	prot.Address, prot.Instruction, prot.MemoryAccesses, prot.HasGuardPageAccess = also.Address, also.Instruction, also.MemoryAccesses, also.HasGuardPageAccess
	set := &p.set.of
	f.MainModule, f.MissingSymbols, f.UnloadedModules, f.UnloadedModuleCount, f.AdditionalDumpCount = set.MainModule, set.MissingSymbols, set.UnloadedModules, set.UnloadedModuleCount, set.AdditionalDumpCount
	f.ModulesInStack = p.template.inStack(p.set)
	return &f, &prot
}

// saysSystem tells whether the annotations say what the system is, where no dump does.
func (p *parts) saysSystem() bool { return p.lane.platform == android }

// yes is shared by facts that say so.
var yes = true
