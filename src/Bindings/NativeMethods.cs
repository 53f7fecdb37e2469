using System.Reflection;
using System.Runtime.InteropServices;

namespace Ingot.Bindings;

internal static unsafe partial class NativeMethods
{
    // Runs before the first native call, so that no call can load a library by the system's own rules.
    static NativeMethods() => NativeLibrary.SetDllImportResolver(Assembly.GetExecutingAssembly(), NativeLibraryResolver.Resolve);
}
