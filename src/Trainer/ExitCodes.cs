namespace Ingot.Trainer;

/// <summary>What the process says to scripts when it ends.</summary>
internal static class ExitCodes
{
    public const int Success = 0;

    /// <summary>Something failed that the command line could not foresee: data, memory, disk, a library.</summary>
    public const int Failure = 1;

    /// <summary>The command line, an environment variable or the recipe is wrong; nothing was started.</summary>
    public const int Usage = 2;

    /// <summary>Ctrl-C: the step was finished and saved.</summary>
    public const int Interrupted = 128 + 2;

    /// <summary>SIGTERM: the step was finished and saved.</summary>
    public const int Terminated = 128 + 15;
}
