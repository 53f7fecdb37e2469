using System.Diagnostics;

namespace Ingot.Trainer;

/// <summary>One line on a terminal's stderr that says how far the writing of files is; nothing elsewhere.</summary>
internal sealed class ByteProgress : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(0.2);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private TimeSpan _next = Pause;
    private int _width;

    /// <summary>Says that so many bytes are done.</summary>
    public void Report(long done, long total)
    {
        if (Console.IsErrorRedirected || _clock.Elapsed < _next)
        {
            return;
        }

        _next = _clock.Elapsed + Pause;
        TimeSpan left = _clock.Elapsed * ((double)(total - done) / Math.Max(done, 1));
        Show($"{Text.Bytes(done)} of {Text.Bytes(total)} written, {(int)left.TotalMinutes}:{left.Seconds:00} left");
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
