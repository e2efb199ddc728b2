package minidump

var streamNames = map[StreamType]string{
	StreamThreadList: "ThreadListStream", StreamModuleList: "ModuleListStream", StreamMemoryList: "MemoryListStream",
	StreamException: "ExceptionStream", StreamSystemInfo: "SystemInfoStream", StreamMemory64List: "Memory64ListStream",
	StreamHandleData: "HandleDataStream", StreamUnloadedModuleList: "UnloadedModuleListStream", StreamMiscInfo: "MiscInfoStream",
	StreamMemoryInfoList: "MemoryInfoListStream", StreamThreadInfoList: "ThreadInfoListStream", StreamThreadNames: "ThreadNamesStream",
	StreamCrashpadInfo: "CrashpadInfoStream", StreamBreakpadInfo: "BreakpadInfoStream", StreamAssertionInfo: "AssertionInfoStream",
	StreamLinuxCPUInfo: "LinuxCpuInfo", StreamLinuxProcStatus: "LinuxProcStatus", StreamLinuxLSBRelease: "LinuxLsbRelease",
	StreamLinuxEnviron: "LinuxEnviron", StreamLinuxMaps: "LinuxMaps", StreamStabilityReport: "StabilityReport",
	StreamMozMacosCrashInfo: "MozMacosCrashInfoStream", StreamMozMacosBootArgs: "MozMacosBootargsStream",
	StreamMozLinuxLimits: "MozLinuxLimits", StreamMozSoftErrors: "MozSoftErrors",
	// Of these only the name is known.
	0x47670006: "LinuxCmdLine", 0x47670008: "LinuxAuxv", 0x4767000a: "LinuxDsoDebug",
}

// String is the type's name in its vendor's headers, "unknown stream" without
// one.
func (t StreamType) String() string {
	if name, ok := streamNames[t]; ok {
		return name
	}
	return "unknown stream"
}
