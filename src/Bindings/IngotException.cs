namespace Ingot.Bindings;

/// <summary>An error of the native library. The message says what went wrong, where, and the way out.</summary>
public sealed class IngotException : Exception
{
    /// <summary>Makes the exception for a call that came to <paramref name="status"/>.</summary>
    public IngotException(Status status, string message)
        : base(message) => Status = status;

    /// <summary>What kind of error it is.</summary>
    public Status Status { get; }

    /// <summary>Throws with the native library's message, unless <paramref name="status"/> is <see cref="Status.Ok"/>.</summary>
    internal static unsafe void ThrowIfFailed(Status status)
    {
        if (status != Status.Ok)
        {
            throw new IngotException(status, NativeText.ToString(NativeMethods.LastError()));
        }
    }
}
