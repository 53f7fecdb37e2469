using System.Diagnostics;

namespace Ingot.Trainer;

/// <summary>One line on a terminal's stderr that says how far some work is; nothing elsewhere. Any thread may report.</summary>
/// <param name="describe">Words for so much of a total.</param>
internal sealed class LineProgress(Func<long, long, string> describe) : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(0.2);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _next = Pause;
    private readonly Lock _lock = new();
    private int _width;

    /// <summary>For the writing of files.</summary>
    public static LineProgress OfBytes() => new((done, total) => $"{Text.Bytes(done)} of {Text.Bytes(total)} written");

    /// <summary>Says how much is done.</summary>
    public void Report(long done, long total)
    {
        lock (_lock)
        {
            if (Console.IsErrorRedirected || _clock.Elapsed < _next)
            {
                return;
            }

            _next = _clock.Elapsed + Pause;
            TimeSpan left = _clock.Elapsed * ((double)(total - done) / Math.Max(done, 1));
            Show($"{describe(done, total)}, {(int)left.TotalMinutes}:{left.Seconds:00} left");
        }
    }

    /// <summary>Takes the line away.</summary>
    public void Dispose()
    {
        if (_width > 0)
        {
            Show("");
            Console.Error.Write('\r');
        }
    }

    private void Show(string line)
    {
        Console.Error.Write($"\r{line.PadRight(_width)}");
        _width = line.Length;
    }
}
