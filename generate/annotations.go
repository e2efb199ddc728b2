package generate

import (
	"strconv"

	"aftershock/schema"
)

// annotation is one that generated crashes have. They are in the order of their names, as
// the processor writes them.
type annotation int

const (
	accessibility annotation = iota
	adapterDevice
	adapterDriver
	adapterVendor
	addons
	androidBrand
	androidABI
	androidManufacturer
	androidModel
	androidVersion
	asyncShutdown
	availablePageFile
	availablePhysical
	availableVirtual
	breadcrumbs
	buildID
	cpuMicrocode
	comments
	crashTime
	fission
	ipcEnabled
	distributionID
	checkCompatibility
	hang
	ipcMessage
	installTime
	collectingGarbage
	javaTrace
	mozCrashReason
	programNotes
	oomSize
	processType
	theProductID
	productName
	releaseChannel
	remoteType
	safeMode
	sinceLastCrash
	shutdownProgress
	startupCrash
	startupTime
	submittedFrom
	memoryInUse
	throttleable
	totalPhysical
	totalVirtual
	visited
	uptimeTS
	utilityActors
	vendor
	theVersion
	locale
	annotations
)

var annotationNames = [annotations]string{
	"Accessibility", "AdapterDeviceID", "AdapterDriverVersion", "AdapterVendorID", "Add-ons", "Android_Brand", "Android_CPU_ABI", "Android_Manufacturer", "Android_Model", "Android_Version",
	"AsyncShutdownTimeout", "AvailablePageFile", "AvailablePhysicalMemory", "AvailableVirtualMemory", "Breadcrumbs", "BuildID", "CPUMicrocodeVersion", "Comments", "CrashTime", "DOMFissionEnabled",
	"DOMIPCEnabled", "DistributionID", "EMCheckCompatibility", "Hang", "IPCMessageName", "InstallTime", "IsGarbageCollecting", "JavaStackTrace", "MozCrashReason", "Notes", "OOMAllocationSize", "ProcessType",
	"ProductID", "ProductName", "ReleaseChannel", "RemoteType", "SafeMode", "SecondsSinceLastCrash", "ShutdownProgress", "StartupCrash", "StartupTime", "SubmittedFrom", "SystemMemoryUsePercentage",
	"Throttleable", "TotalPhysicalMemory", "TotalVirtualMemory", "URL", "UptimeTS", "UtilityActorsName", "Vendor", "Version", "useragent_locale",
}

// publicAnnotations are of class public in the registry that ships: their values here have
// the shape that they should, but for those that report.list is told.
var publicAnnotations = func() (public [annotations]bool) {
	for a, name := range annotationNames {
		public[a] = schema.DefaultRegistry.Lookup(name).Class == schema.ClassPublic
	}
	return public
}()

// with is the annotation of a value.
func (a annotation) with(value string) schema.Annotation {
	return schema.Annotation{Name: annotationNames[a], Value: value, Public: schema.DefaultRegistry.Public(annotationNames[a], value)}
}

// annotationSet has a bit for each annotation.
type annotationSet uint64

func setOf(a annotation) annotationSet { return 1 << a }

func (s annotationSet) has(a annotation) bool { return s>>a&1 != 0 }

// report collects the annotations of a crash.
type report struct {
	values  [annotations]string
	numbers []byte           // those that are numbers, one behind the other
	ends    [annotations]int // of a number in numbers; 0 for none
	order   []annotation     // of numbers
	room    [annotations]annotation
}

func (r *report) set(a annotation, value string) { r.values[a] = value }

// number sets the value to the decimal digits of a number.
func (r *report) number(a annotation, n int64) {
	r.numbers = strconv.AppendInt(r.numbers, n, 10)
	r.ended(a)
}

// ended makes what stands in numbers behind the last one an annotation's value.
func (r *report) ended(a annotation) {
	if r.order == nil {
		r.order = r.room[:0]
	}
	r.order = append(r.order, a)
	r.ends[a] = len(r.numbers)
}

// list is those that there are, in their order. unfit are those whose value has not the
// shape to be public.
func (r *report) list(unfit annotationSet) []schema.Annotation {
	numbers, at := string(r.numbers), 0
	for _, a := range r.order {
		r.values[a], at = numbers[at:r.ends[a]], r.ends[a]
	}
	n := 0
	for a := range r.values {
		if r.values[a] != "" {
			n++
		}
	}
	out := make([]schema.Annotation, 0, n)
	for a := range annotations {
		if value := r.values[a]; value != "" {
			out = append(out, schema.Annotation{Name: annotationNames[a], Value: value, Public: publicAnnotations[a] && !unfit.has(a)})
		}
	}
	return out
}
