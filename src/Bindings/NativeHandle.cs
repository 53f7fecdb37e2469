using System.Runtime.InteropServices;

namespace Ingot.Bindings;

/// <summary>Owns a native object: it is destroyed once, when it is disposed of or collected and no call uses it any more.</summary>
internal abstract class NativeHandle(nint value) : SafeHandle(value, ownsHandle: true)
{
    public override bool IsInvalid => handle == 0;

    /// <summary>Keeps the object alive until the use is disposed of.</summary>
    /// <exception cref="ObjectDisposedException">The object has been disposed of.</exception>
    public Use Borrow() => new(this);

    /// <summary>A handle in use.</summary>
    internal readonly ref struct Use
    {
        private readonly NativeHandle? _owner;

        public Use(NativeHandle owner)
        {
            bool added = false;
            owner.DangerousAddRef(ref added);
            _owner = owner;
        }

        /// <summary>The native handle; null for a use of nothing.</summary>
        public nint Value => _owner?.handle ?? 0;

        public void Dispose() => _owner?.DangerousRelease();
    }
}

/// <summary>Owns a buffer.</summary>
internal sealed class SafeBufferHandle(BufferHandle value) : NativeHandle(value.Value)
{
    protected override bool ReleaseHandle() => NativeMethods.BufferDestroy(new(handle)) == Status.Ok;
}

/// <summary>Owns a stream.</summary>
internal sealed class SafeStreamHandle(StreamHandle value) : NativeHandle(value.Value)
{
    protected override bool ReleaseHandle() => NativeMethods.StreamDestroy(new(handle)) == Status.Ok;
}

/// <summary>Owns an event.</summary>
internal sealed class SafeEventHandle(EventHandle value) : NativeHandle(value.Value)
{
    protected override bool ReleaseHandle() => NativeMethods.EventDestroy(new(handle)) == Status.Ok;
}

/// <summary>Owns a program.</summary>
internal sealed class SafeProgramHandle(ProgramHandle value) : NativeHandle(value.Value)
{
    protected override bool ReleaseHandle() => NativeMethods.ProgramDestroy(new(handle)) == Status.Ok;
}
