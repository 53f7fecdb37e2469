using System.Runtime.InteropServices;

namespace Ingot.Tokenizers;

/// <summary>
/// Remembers what short byte strings became: most words of a text come again and again. When it is full it starts anew, which is cheaper
/// than finding out what to keep. One object serves one thread at a time.
/// </summary>
/// <param name="bytes">How many bytes of strings to remember at most; it is full a little later.</param>
internal sealed class Remembered<T>(int bytes)
{
    /// <summary>Longer strings hardly ever come twice.</summary>
    public const int Longest = 64;

    private readonly ByteStringMap _keys = new();
    private readonly List<int> _ends = []; // In _values, by key.
    private readonly List<T> _values = [];

    /// <summary>What a string became; null if that is not remembered.</summary>
    public bool TryGet(ReadOnlySpan<byte> key, out ReadOnlySpan<T> values)
    {
        var index = _keys.Find(key);
        values = index < 0 ? default : ValuesOf(index);
        return index >= 0;
    }

    /// <summary>Remembers what a string, which is not remembered yet, becomes.</summary>
    /// <param name="key">Of <see cref="Longest"/> bytes at most.</param>
    /// <param name="append">Appends what it becomes.</param>
    /// <returns>That; the span is good until the next call.</returns>
    public ReadOnlySpan<T> Add(ReadOnlySpan<byte> key, Appender append)
    {
        if (_keys.ByteCount > bytes)
        {
            _keys.Clear();
            _ends.Clear();
            _values.Clear();
        }

        var first = _values.Count;
        try
        {
            append(key, _values);
        }
        catch
        {
            _values.RemoveRange(first, _values.Count - first);
            throw;
        }

        var index = _keys.FindOrAdd(key, out _);
        _ends.Add(_values.Count);
        return ValuesOf(index);
    }

    /// <summary>Appends what a string becomes.</summary>
    public delegate void Appender(ReadOnlySpan<byte> key, List<T> values);

    private ReadOnlySpan<T> ValuesOf(int index) =>
        CollectionsMarshal.AsSpan(_values)[(index == 0 ? 0 : _ends[index - 1]).._ends[index]];
}
