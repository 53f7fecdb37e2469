namespace Ingot.Chat;

/// <summary>A part of a text.</summary>
/// <param name="Start">Where it begins, in UTF-16 units.</param>
/// <param name="Length">Its length in UTF-16 units.</param>
public readonly record struct TextSpan(int Start, int Length)
{
    /// <summary>Where it ends: the place after its last unit.</summary>
    public int End => Start + Length;
}
