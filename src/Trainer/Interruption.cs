using System.Runtime.InteropServices;

namespace Ingot.Trainer;

/// <summary>
/// Turns the first Ctrl-C or SIGTERM into a cancelled token, so that the work under way can be finished and saved. The second one has the
/// system's usual effect and ends the process at once.
/// </summary>
internal sealed partial class Interruption : IDisposable
{
    private const int SigInt = 2;
    private const nint DefaultHandler = 0;

    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _terminate;

    /// <summary>Listens from now on.</summary>
    public Interruption()
    {
        if (!OperatingSystem.IsWindows())
        {
            // A script's background job starts with SIGINT ignored, and .NET would leave it so. A run has something to save: it listens.
            SetHandler(SigInt, DefaultHandler);
        }

        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Exit code of a process that ends because of the signal.</summary>
    public int ExitCode { get; private set; } = ExitCodes.Interrupted;

    public void Dispose()
    {
        _interrupt.Dispose();
        _terminate.Dispose();
        _source.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        if (_source.IsCancellationRequested)
        {
            return;
        }

        context.Cancel = true;
        ExitCode = context.Signal == PosixSignal.SIGTERM ? ExitCodes.Terminated : ExitCodes.Interrupted;
        _source.Cancel();
    }

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint SetHandler(int signal, nint handler);
}
