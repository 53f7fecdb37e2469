namespace Ingot.Bindings;

/// <summary>What the native library is made of.</summary>
/// <param name="Version">Version of Ingot, for example "0.1.0".</param>
/// <param name="Compiler">Compiler and its version.</param>
/// <param name="Configuration">Build type and sanitizers.</param>
/// <param name="MatmulLibrary">Matmul library of the CPU backend and its version.</param>
/// <param name="Simd">SIMD instruction set chosen for this processor.</param>
public sealed record BuildInfo(string Version, string Compiler, string Configuration, string MatmulLibrary, string Simd);

/// <summary>What was found of CUDA. Texts are empty where nothing was found.</summary>
/// <param name="Available">Whether at least one GPU can be used.</param>
/// <param name="Module">The module of CUDA kernels: the file that was loaded or looked for.</param>
/// <param name="Driver">Newest CUDA version that the driver supports.</param>
/// <param name="Runtime">CUDA version that the module was built with.</param>
/// <param name="MatmulLibrary">Matmul library of the CUDA backend and its version.</param>
/// <param name="Problem">What is missing and the way out.</param>
public sealed record CudaInfo(bool Available, string Module, string Driver, string Runtime, string MatmulLibrary, string Problem);

/// <summary>The native library as a whole. Errors are <see cref="IngotException"/>s.</summary>
public static unsafe class NativeRuntime
{
    /// <summary>What the native library is made of.</summary>
    public static BuildInfo BuildInfo
    {
        get
        {
            NativeBuildInfo info;
            IngotException.ThrowIfFailed(NativeMethods.GetBuildInfo(&info));
            return new(NativeText.ToString(info.Version), NativeText.ToString(info.Compiler), NativeText.ToString(info.Configuration),
                NativeText.ToString(info.MatmulLibrary), NativeText.ToString(info.Simd));
        }
    }

    /// <summary>What was found of CUDA.</summary>
    public static CudaInfo CudaInfo
    {
        get
        {
            NativeCudaInfo info;
            IngotException.ThrowIfFailed(NativeMethods.GetCudaInfo(&info));
            return new(info.Available != 0, NativeText.ToString(info.Module), NativeText.ToString(info.Driver),
                NativeText.ToString(info.Runtime), NativeText.ToString(info.MatmulLibrary), NativeText.ToString(info.Problem));
        }
    }

    /// <summary>How many threads CPU programs use from their next run on, 1 to 1024. Set to 0 for the default, one for each core.</summary>
    public static int Threads
    {
        get
        {
            int count;
            IngotException.ThrowIfFailed(NativeMethods.GetThreads(&count));
            return count;
        }
        set => IngotException.ThrowIfFailed(NativeMethods.SetThreads(value));
    }

    /// <summary>Loads a library of kernels and registers them.</summary>
    /// <param name="path">The library's file.</param>
    /// <returns>How many kernels it has.</returns>
    public static int LoadPlugin(string path)
    {
        int count;
        fixed (byte* text = NativeText.ToBytes(path))
        {
            IngotException.ThrowIfFailed(NativeMethods.PluginLoad(text, &count));
        }

        return count;
    }
}
