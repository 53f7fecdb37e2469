namespace Ingot.Trainer;

/// <summary>A curve in one line of text: block characters, of the whole series, however long it is.</summary>
internal sealed class Sparkline
{
    private const string Blocks = "▁▂▃▄▅▆▇█";
    private const int Capacity = 96;

    private readonly List<(double Sum, int Count)> _cells = new(Capacity);
    private int _each = 1;

    /// <summary>Adds a value; one that is not finite is passed over.</summary>
    public void Add(double value)
    {
        if (!double.IsFinite(value))
            return;
        if (_cells.Count > 0 && _cells[^1].Count < _each)
        {
            _cells[^1] = (_cells[^1].Sum + value, _cells[^1].Count + 1);
            return;
        }

        if (_cells.Count == Capacity)
        {
            for (var i = 0; i < Capacity / 2; i++)
                _cells[i] = (_cells[2 * i].Sum + _cells[(2 * i) + 1].Sum, 2 * _each);
            _cells.RemoveRange(Capacity / 2, Capacity / 2);
            _each *= 2;
        }

        _cells.Add((value, 1));
    }

    /// <summary>Draws the series at most so many characters wide; empty while there are fewer than two values.</summary>
    public string Draw(int width)
    {
        if (_cells.Count < 2 || width < 1)
            return "";
        width = Math.Min(width, _cells.Count);
        Span<double> means = stackalloc double[Capacity];
        means = means[..width];
        for (var i = 0; i < width; i++)
        {
            var part = _cells[(i * _cells.Count / width)..((i + 1) * _cells.Count / width)];
            means[i] = part.Sum(cell => cell.Sum) / part.Sum(cell => cell.Count);
        }

        double lowest = double.PositiveInfinity, highest = double.NegativeInfinity;
        foreach (var mean in means)
            (lowest, highest) = (Math.Min(lowest, mean), Math.Max(highest, mean));
        Span<char> text = stackalloc char[Capacity];
        for (var i = 0; i < width; i++)
        {
            var level = highest > lowest ? (means[i] - lowest) / (highest - lowest) : 0;
            text[i] = Blocks[(int)Math.Round(level * (Blocks.Length - 1))];
        }

        return new string(text[..width]);
    }
}
